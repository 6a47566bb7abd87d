# One image for every role: `docker run -v swarm:/data swarm-node start --http 0.0.0.0:9090`.
ARG NODE_IMAGE=node:24-bookworm-slim

# Dependencies and the compiled program are made in a stage that is thrown away.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY node ./node
COPY config ./config
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM ${NODE_IMAGE}
ENV NODE_ENV=production \
    SWARM_NODE_DATA=/data
WORKDIR /app
COPY --from=build /app/package.json ./package.json
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY config ./config
RUN ln -s /app/dist/node/bin.js /usr/local/bin/swarm-node \
 && chmod 0755 /app/dist/node/bin.js \
 && groupadd --system --gid 10001 swarm \
 && useradd --system --uid 10001 --gid swarm --home-dir /data --shell /usr/sbin/nologin swarm \
 && install -d -o swarm -g swarm -m 0700 /data
USER swarm
VOLUME /data
EXPOSE 4001 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["swarm-node", "status", "--json"]
ENTRYPOINT ["swarm-node"]
CMD ["start", "--listen", "/ip4/0.0.0.0/tcp/4001"]
