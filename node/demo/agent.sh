#!/bin/sh
# A command as an agent: its input on standard input, its output on standard output (see `swarm-node agent --help`).
input=$(cat)
seconds=$(printf '%s' "$input" | sed -E 's/.*"serviceMs":([0-9.]+).*/\1/' | awk '{ printf "%.3f", $1 / 1000 }')
sleep "$seconds"
echo "$SWARM_TASK_ID" >>"$DEMO_BOOK"
printf '{"by":"%s","stamp":"%s-%s"}\n' "$DEMO_AGENT" "$$" "$SWARM_ATTEMPT"
