# A web server as small as they come, that echoes what comes by WebSocket; its illnesses are in web.sh and the Procfile.
#   /up   200, or what $UP says
use strict;
use warnings;
use IO::Socket::INET;
use POSIX qw(:signal_h :sys_wait_h);

my $listener = IO::Socket::INET->new(LocalAddr => $ENV{LISTEN} // '0.0.0.0', LocalPort => $ENV{PORT},
	Listen => 128, ReuseAddr => 1, Proto => 'tcp') or die "listen on $ENV{PORT}: $@\n";
my %children;
my $term = POSIX::SigSet->new(SIGTERM);
$SIG{CHLD} = sub { while ((my $pid = waitpid -1, WNOHANG) > 0) { delete $children{$pid} } };
# The container ends with us, and with it whoever has not said goodbye.
$SIG{TERM} = sub {
	syswrite STDOUT, "going\n";
	kill TERM => keys %children;
	1 while waitpid(-1, 0) > 0;
	select undef, undef, undef, $ENV{LINGER} // 0;
	exit 0;
};

# RFC 3174; perl-base has none of its own.
sub sha1 {
	my ($data) = @_;
	my @h = (0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
	my $bits = 8 * length $data;
	my $rol = sub { (($_[0] << $_[1]) | ($_[0] >> (32 - $_[1]))) & 0xffffffff };

	$data .= "\x80";
	$data .= "\0" while length($data) % 64 != 56;
	$data .= pack 'NN', 0, $bits;
	for (my $at = 0; $at < length $data; $at += 64) {
		my @w = unpack 'N16', substr $data, $at, 64;
		my ($a, $b, $c, $d, $e) = @h;

		push @w, $rol->($w[-3] ^ $w[-8] ^ $w[-14] ^ $w[-16], 1) while @w < 80;
		for my $t (0 .. 79) {
			my ($f, $k) = $t < 20 ? (($b & $c) | (~$b & $d), 0x5a827999) : $t < 40 ? ($b ^ $c ^ $d, 0x6ed9eba1)
				: $t < 60 ? (($b & $c) | ($b & $d) | ($c & $d), 0x8f1bbcdc) : ($b ^ $c ^ $d, 0xca62c1d6);
			my $next = ($rol->($a, 5) + ($f & 0xffffffff) + $e + $k + $w[$t]) & 0xffffffff;

			($a, $b, $c, $d, $e) = ($next, $a, $rol->($b, 30), $c, $d);
		}
		my @add = ($a, $b, $c, $d, $e);
		$h[$_] = ($h[$_] + $add[$_]) & 0xffffffff for 0 .. 4;
	}
	return pack 'N5', @h;
}

sub base64 {
	my $text = substr pack('u', $_[0]), 1; # of 20 bytes, so one line of uuencode
	chomp $text;
	$text =~ tr{` -_}{AA-Za-z0-9+/};
	$text =~ s/.$/=/;
	return $text;
}

# Short text frames come back; who is told to end says goodbye.
sub websocket {
	my ($client, $key) = @_;
	my $n;

	$SIG{TERM} = sub { syswrite $client, pack('CCn', 0x88, 2, 1001); exit 0 };
	sigprocmask(SIG_UNBLOCK, $term);
	syswrite $client, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" .
		"Sec-WebSocket-Accept: " . base64(sha1($key . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11')) . "\r\n\r\n";
	while (read($client, my $head, 2) == 2) {
		my ($op, $len) = unpack 'CC', $head;

		$len &= 0x7f;
		read($client, my $mask, 4) == 4 && read($client, my $data, $len) == $len or last;
		last if ($op & 15) == 8;
		syswrite $client, pack('CC', 0x81, $len) . ($data ^ substr $mask x 32, 0, $len);
	}
	exit 0;
}

while (1) {
	my $client = $listener->accept or next;
	my ($request, %header) = (scalar <$client>);
	next unless defined $request;
	while (defined(my $line = <$client>)) {
		$line =~ s/\r?\n\z//;
		last if $line eq '';
		$header{lc $1} = $2 if $line =~ /^([^:]+):\s*(.*)/;
	}
	if (lc($header{upgrade} // '') eq 'websocket') {
		sigprocmask(SIG_BLOCK, $term);
		my $pid = fork // die "fork: $!\n";
		websocket($client, $header{'sec-websocket-key'}) if $pid == 0;
		$children{$pid} = 1;
		sigprocmask(SIG_UNBLOCK, $term);
		next;
	}
	my $status = $request =~ m{^GET /up } ? $ENV{UP} // '200 OK' : '200 OK';
	print $client "HTTP/1.1 $status\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsick\n";
	close $client;
}
