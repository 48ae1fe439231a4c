# The web process, ill as $ILLNESS says.
sleep "${DELAY:-0}"
case ${ILLNESS:-} in
exits) echo starting; echo "cannot go on: no database" >&2; exit 1 ;;
missing) exec no-such-program ;;
port) PORT=8123 exec perl web.pl ;;
loopback) LISTEN=127.0.0.1 exec perl web.pl ;;
silent) exec sleep 100000 ;;
hungry) exec perl -e 'my @all; push @all, "x" x 1e6 while 1' ;;
unwell) UP='500 Oh No' exec perl web.pl ;;
*) exec perl web.pl ;;
esac
