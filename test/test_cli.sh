#!/bin/bash
# The command line: both spellings, what it refuses and how, what it prints where.
. "$(dirname "$0")/lib_cluster.sh"

developer
flynn_commands=$(sed -n 's/^  \([a-z][a-z -]*[a-z]\)  .*/\1/p' <<<"$(flynn help)")

# ---- without a cluster ------------------------------------------------------------------------------

fails_with "no cluster is configured" 1 'no cluster is configured .*paste the line' flynn apps
fails_with "an empty FLYNN_APP is none" 1 'no app: say which with -a APP' env FLYNN_APP= flynn ps
for name in FLYNN_CLUSTER FLYNN_SERVER; do
	fails_with "an empty $name is none" 1 'no cluster is configured' env $name= flynn apps
done
is "a list of nothing is nothing, and as JSON empty" "$(flynn cluster),$(flynn cluster --json)" ",[]"
fails_with "no command" 2 'usage: flynn' flynn
fails_with "an option that is none" 2 'no option "-x" in front of a command' flynn -x apps
fails_with "an option without its value" 2 '-a wants a name behind it' flynn --json -a
fails_with "a first word alone" 2 'no command "pg" alone, but: pg dump, pg psql, pg restore' flynn pg
like "help tells of the commands below one" "$(flynn help route)" '^  route add http +send the requests'
fails_with "a command that is none" 2 'no command "frobnicate": flynn help lists all' flynn frobnicate
is "what is typed makes no messages of its own, nor drives the terminal" "$(flynn $'two\n\033[1mflynn: lines' 2>&1)" \
	$'flynn: there is no command "two\n       ?[1mflynn: lines": flynn help lists all'
is "nor does an option" "$(flynn $'-x\tx' apps 2>&1 | head -n 1)" \
	"flynn: there is no option \"-x x\" in front of a command: a command's own stand behind it"
fails_with "a command that nearly is one" 2 'did you mean scale\?' flynn scal
fails_with "a pin that is none" 1 'is no pin' flynn cluster add -p abc x https://localhost key
fails_with "a URL that is none" 1 'flynn: ' flynn cluster add x localhost key
fails_with "a value that is no text" 1 'the value of A is no text in UTF-8' flynn env set "A=$(printf '\xe4')"
fails_with "a word of a command that is none" 1 'word 2 of the command is no text in UTF-8' flynn run echo "$(printf '\xe4')"
while read -r command; do
	# shellcheck disable=SC2086 # the words of a command
	ok "flynn help $command" flynn help $command
	# shellcheck disable=SC2086
	is "flynn $command -h" "$(flynn $command -h 2>&1)" "$(flynn help $command)"
done <<<"$flynn_commands"
is "version" "$(flynn version | grep -c '^flynn [0-9]')" 1

cluster_start

# ---- with one -------------------------------------------------------------------------------------

# shellcheck disable=SC2086 # a list of words
fails_with "a cluster of that name exists" 1 'exists already .*flynn cluster remove default' $LINE
cp "$FLYNNRC" "$TMP/rc"
is "the config is its owner's alone" "$(stat -c %a "$FLYNNRC")" 600
sed -i 's/^  Key = .*/  Key = "wrong"/' "$FLYNNRC"
fails_with "a wrong key" 1 'refused our key: add it again' flynn apps
cp "$TMP/rc" "$FLYNNRC"
sed -i "s|^  TLSPin = .*|  TLSPin = \"$(head -c 32 /dev/zero | base64)\"|" "$FLYNNRC"
fails_with "a wrong pin is refused" 1 'does not have the pin we know' flynn apps
fails_with "and for run as well" 1 'flynn: ' flynn -a controller run true
cp "$TMP/rc" "$FLYNNRC"
sed -i 's|^  URL = .*|  URL = "https://localhost:9"|' "$FLYNNRC"
fails_with "nobody there" 1 'cannot reach cluster default at https://localhost:9' flynn apps
cp "$TMP/rc" "$FLYNNRC"
fails_with "a cluster that is not known" 1 'there is no cluster "other"' flynn -c other apps

git init -q "$TMP/repo"
cd "$TMP/repo" || die "no repository"
fails_with "no app" 1 'no app: say which with -a APP' flynn ps
for command in ps restart delete "release add x" "env unset A" "scale web=1" "run true"; do
	# shellcheck disable=SC2086 # the words of a command
	fails_with "an app that does not exist: flynn $command" 1 '^flynn: app nosuch does not exist$' flynn -a nosuch $command
done
fails_with "nor does it get a resource" 1 '^flynn: there is no app "nosuch"$' flynn -a nosuch resource add postgres
fails_with "a name that is none" 1 'is no app name' flynn -a 'no/such' ps
like "create" "$(flynn create one 2>&1)" '^Created one$'
like "create without a name chooses one" "$(flynn create -r '' 2>&1)" '^Created [a-z]+-[a-z]+-[a-z]+$'
fails_with "an app that exists" 1 'app "one" exists already' flynn create one
fails_with "a name that is invalid" 1 'name' flynn create 'Not_A_Name'

like "key-add" "$(flynn key-add 2>&1)" '^Key ([0-9a-f]{2}:){15}[0-9a-f]{2} added\.$'
fails_with "a private key" 1 'private key, which stays with you' flynn key add "$HOME/.ssh/id_ed25519"
echo nonsense >"$TMP/key.pub"
fails_with "a key that is none" 1 'key' flynn key add "$TMP/key.pub"
is "keys and key are the same" "$(flynn keys)" "$(flynn key)"
like "key-remove" "$(flynn key-remove "$(flynn key | cut -d ' ' -f 1)" 2>&1)" 'removed'
fails_with "a key that is not there" 1 'does not exist' flynn key remove 00:11

route=$(flynn route-add-http one.localhost)
like "route-add-http prints the id" "$route" '^http/[0-9a-f]{32}$'
fails_with "a route that exists" 1 'one\.localhost exists already' flynn route add http one.localhost
is "routes and route are the same" "$(flynn routes)" "$(flynn route)"
like "route lists it" "$(flynn route)" "^http:one\\.localhost  one-web  $route\$"
fails_with "a certificate without its key" 1 'come together' flynn route add http -c /dev/null two.localhost
fails_with "a file that is no certificate" 1 'is no PEM file' flynn route add http -c /dev/null -k /dev/null two.localhost
like "route add tcp prints the port" "$(flynn route add tcp)" '^tcp/[0-9a-f]{32} listening on port 3[0-9]{3}$'
is "route-remove" "$(flynn route-remove "$route")" "Route $route removed."
fails_with "a route that is not there" 1 'does not exist' flynn route remove "$route"
fails_with "a route id that is none" 1 'is no route id' flynn route remove x

fails_with "resource of a provider that is not there" 1 'provider nosuch does not exist' flynn resource add nosuch
like "resource-add postgres" "$(flynn resource-add postgres 2>&1)" '^Created resource [0-9a-f]{32} and release [0-9a-f]{32}\.$'
like "its environment is the app's" "$(flynn env)" '^DATABASE_URL=postgres://'
like "resource lists it" "$(flynn resource)" '^[0-9a-f]{32}  postgres '

sql() {
	flynn pg psql -- -qAt -c "$1" </dev/null
}
ok "psql uses the database" sql 'create table kept (n int); insert into kept values (7)'
is "and finds there what it left" "$(sql 'select n from kept')" 7
fails_with "it ends as psql does" 1 'nothing' flynn pg psql -- -c 'select nothing'
ok "a dump" flynn pg dump -f "$TMP/dump"
is "is one" "$(head -c 5 "$TMP/dump")" PGDMP
sql 'update kept set n = 8; create table later (n int)'
ok "is restored" flynn pg restore -f "$TMP/dump"
is "as it was" "$(sql 'select n from kept')" 7
fails_with "what is no dump is not" 1 'input file' flynn pg restore <<<nonsense

for list in apps cluster key route ps provider env requests resource health limit scale volume deployment releases; do
	ok "flynn --json $list is JSON" jq . <<<"$(flynn --json $list)"
	unlike "flynn $list in a pipe has no escape codes" "$(flynn $list | cat -v)" '\^\['
done
fails_with "wrong usage" 2 '^usage: flynn' flynn create a b c

# completed WORD...: what bash makes of the words typed so far.
completed() {
	COMP_WORDS=(flynn "$@") COMP_CWORD=$#
	_flynn 2>/dev/null
	printf '%s\n' "${COMPREPLY[@]}"
}
# shellcheck disable=SC1090 # what a shell is to source
. <(flynn completion bash)
is "bash completes commands" "$(completed route a)" "add"
is "their options" "$(completed scale --n)" "--no-wait"
is "apps" "$(completed -a on)" "one"
is "clusters" "$(completed -c d)" "default"
flynn env set GREETING=hello 2>/dev/null
is "what the app has" "$(completed env get GREE)" "GREETING"
like "and files where one is meant" "$(flynn completion words -- env load '')" '^:files$'
flynn completion zsh >"$TMP/_flynn"
if command -v zsh >/dev/null; then
	ok "zsh can read its part" zsh -n "$TMP/_flynn"
fi

# ---- what the controller refuses ----------------------------------------------------------------------

post() {
	curl -sk -o "$TMP/body" -w '%{http_code}' -u ":$KEY" -H 'Content-Type: application/json' --data-binary "$1" "https://localhost$2"
}
is "malformed JSON is a 400" "$(post '{"name":' /apps)" 400
like "with a sentence" "$(cat "$TMP/body")" 'message'
head -c 3000000 /dev/zero | tr '\0' x >"$TMP/huge"
like "huge JSON is refused" "$(post "@$TMP/huge" /apps)" '^4'
is "nested brackets are refused" "$(post "$(printf '[%.0s' {1..100000})" /apps)" 400
is "a wrong type is refused" "$(post '{"name":7}' /apps)" 400
is "the controller lives on" "$(curl -sk -o /dev/null -w '%{http_code}' https://localhost/ping)" 200
is "without a key it says nothing" "$(curl -sk -w '%{http_code}' https://localhost/apps)" 401

like "a resource is given back when its id is typed" "$(flynn resource remove postgres <<<wrong 2>&1)" 'data in it is lost'
ok "resource remove" flynn resource remove -y postgres
is "it is gone" "$(flynn resource)" ""
unlike "and its environment" "$(flynn env)" 'postgres'
fails_with "the app has no database" 1 'flynn resource add postgres gives it' flynn pg psql
fails_with "nor a resource" 1 'has no such resource' flynn resource remove postgres

like "delete asks for the name" "$(flynn delete <<<wrong 2>&1)" 'Nothing deleted'
ok "delete -y" flynn delete -y
fails_with "and the app is gone" 1 'does not exist' flynn ps
