# One image for every role: `docker run -v swarm:/data swarm-node start --http 0.0.0.0:9090`.
ARG NODE_IMAGE=node:24-bookworm-slim

# The program is one bundle; what builds it is thrown away with this stage.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY src ./src
COPY node ./node
RUN npm run build

FROM ${NODE_IMAGE}
ENV NODE_ENV=production \
    SWARM_NODE_DATA=/data
WORKDIR /app
COPY package.json ./
COPY config ./config
COPY --from=build /app/dist ./dist
RUN ln -s /app/dist/bin.js /usr/local/bin/swarm-node \
 && chmod 0755 /app/dist/bin.js \
 && groupadd --gid 10001 swarm \
 && useradd --no-log-init --no-create-home --uid 10001 --gid swarm --home-dir /data --shell /usr/sbin/nologin swarm \
 && install -d -o swarm -g swarm -m 0700 /data
USER swarm
VOLUME /data
EXPOSE 4001 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["swarm-node", "status", "--json"]
ENTRYPOINT ["swarm-node"]
CMD ["start", "--listen", "/ip4/0.0.0.0/tcp/4001"]
