#!/bin/bash
# A Node.js app with dependencies from the npm registry: built, cached, run, with its npm at hand.
. "$(dirname "$0")/lib_cluster.sh"

cluster_start
developer
flynn key-add 2>/dev/null
new_app node example
flynn create example 2>/dev/null

out=$(git push flynn master 2>&1)
is "a Node.js app is pushed" $? 0 || { note "$out"; show_logs; exit 1; }
like "by its buildpack" "$out" 'Node\.js app detected'
like "with the dependencies of its lock file" "$out" 'npm ci \(package-lock\.json\)'
flynn route-add-http example.localhost >/dev/null
like "it serves" "$(get example.localhost)" '^Hello from Flynn on port [0-9]+$'
like "and its dependency works" "$(get example.localhost /uptime)" '^[0-9]+m?s$'

git commit -q --allow-empty -m again
out=$(git push flynn master 2>&1)
is "an unchanged app is pushed again" $? 0 || note "$out"
like "with the node of the last build" "$out" 'Using Node\.js [0-9.]+ of the last build'
like "and its dependencies" "$out" 'Nothing has changed: using node_modules of the last build'

version=$(jq -r '.engines.node // "*"' package.json)
note "engines.node is $version"
like "node is on the PATH of a job" "$(flynn run node --version </dev/null)" '^v[0-9]+\.'
like "so is npm, though it is packed" "$(flynn run npm --version </dev/null)" '^[0-9]+\.[0-9]+\.[0-9]+$'

jq '.engines.node = "0.0.1"' package.json >new.json && mv new.json package.json
git commit -q -a -m 'no such node'
fails_with "a node that does not exist is named" any 'Node\.js.*0\.0\.1|0\.0\.1.*engines\.node' git push flynn master
like "and the app serves on" "$(get example.localhost)" '^Hello from Flynn'
