# An app of nothing but a Procfile: what every slugrunner has, perl-base, serves a few paths.
#   /        which instance answered     /env/NAME   one environment variable
#   /exit    answers, then ends with 1   /ip         the client's address as the router tells it
use strict;
use warnings;
use IO::Socket::INET;

$| = 1;
my $port = $ENV{PORT} or die "no PORT\n";
my $listener = IO::Socket::INET->new(
	LocalPort => $port, Listen => 128, ReuseAddr => 1, Proto => 'tcp') or die "listen on $port: $@\n";
$SIG{TERM} = sub { print "going\n"; exit 0 };
print "listening on $port\n";

while (my $client = $listener->accept) {
	my ($request, %header) = (scalar <$client>);
	next unless defined $request;
	while (defined(my $line = <$client>) ) {
		$line =~ s/\r?\n\z//;
		last if $line eq '';
		$header{lc $1} = $2 if $line =~ /^([^:]+):\s*(.*)/;
	}
	my $path = (split ' ', $request)[1];
	my $body = "Hello from Flynn on port $port\n";
	$body = ($ENV{$1} // '') . "\n" if $path =~ m{^/env/(\w+)};
	$body = ($header{'x-forwarded-for'} // '') . "\n" if $path eq '/ip';
	print $client "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ",
		length($body), "\r\nConnection: close\r\n\r\n$body";
	close $client;
	exit 1 if $path eq '/exit';
}
