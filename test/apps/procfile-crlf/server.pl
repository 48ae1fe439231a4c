# A web server of what Debian's perl-base holds.
use strict;
use warnings;
use IO::Socket::INET;

$| = 1;
my $port = $ENV{PORT} or die "PORT is not set\n";
my $server = IO::Socket::INET->new(LocalPort => $port, Listen => 128, ReuseAddr => 1)
    or die "cannot listen on $port: $!\n";
$SIG{TERM} = sub { exit 0 };
print "Listening on $port\n";
while (1) {
	my $client = $server->accept or next;
	my $path = '/';

	while (my $line = <$client>) {
		$path = $1 if $line =~ m{^[A-Z]+ (\S+) HTTP/};
		last if $line =~ /^\r?\n$/;
	}
	my $body = $path eq '/env' ? join('', map { "$_=$ENV{$_}\n" } sort keys %ENV) : "Hello from Flynn on port $port\n";

	print $client "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", 'Content-Length: ', length $body,
	    "\r\nConnection: close\r\n\r\n", $body;
	close $client;
}
