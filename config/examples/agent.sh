#!/usr/bin/env bash
# An agent of swarm-node with nothing but bash, socat and jq: skill `reverse` turns a text round. One task at a time.
set -uo pipefail
socket=${SWARM_NODE_SOCKET:-${SWARM_NODE_DATA:-${XDG_STATE_HOME:-$HOME/.local/state}/swarm-node}/swarm.sock}
coproc SWARM { exec socat - "UNIX-CONNECT:$socket"; }
say() { printf '%s\n' "$1" >&"${SWARM[1]}"; }

say '{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":1,"client":"bash/1"}}'
say '{"jsonrpc":"2.0","id":2,"method":"agent.attach","params":{"name":"bash","skills":[{"name":"reverse"}]}}'

while IFS= read -r line <&"${SWARM[0]}"; do
  case $(jq -r '.method // (if .error then "refused" else "answer" end)' <<<"$line") in
    task.run) say "$(jq -c '{jsonrpc: "2.0", id: .id} +
      if .params.input | type == "string" then {result: {output: (.params.input | explode | reverse | implode)}}
      else {error: {code: 1, message: "the input is no text", data: {code: "BAD_INPUT", retryable: false}}} end' <<<"$line")" ;;
    refused) jq -r '.error.message' <<<"$line" >&2; exit 1 ;;
  esac
done
