# A worker: no port, a line every second.
use strict;
use warnings;

$| = 1;
$SIG{TERM} = sub { exit 0 };
while (1) {
	print 'It is ', time, "\n";
	sleep 1;
}
