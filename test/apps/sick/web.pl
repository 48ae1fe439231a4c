# A web server as small as they come; its illnesses are in the Procfile.
use strict;
use warnings;
use IO::Socket::INET;

my $listener = IO::Socket::INET->new(LocalAddr => $ENV{LISTEN} // '0.0.0.0', LocalPort => $ENV{PORT},
	Listen => 16, ReuseAddr => 1, Proto => 'tcp') or die "listen on $ENV{PORT}: $@\n";
$SIG{TERM} = sub { exit 0 };
while (my $client = $listener->accept) {
	my $request = <$client>;
	print $client "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsick\n";
	close $client;
}
