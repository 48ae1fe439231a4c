#!/usr/bin/perl
# attach.pl IP:PORT KEY JOB FLAGS [ROWS COLS [SIGNAL]] - a client of host's attach protocol, as a filter.
#
# stdin goes to the job if FLAGS has 4, its output comes out where it belongs, and its exit status is ours. Until the
# job's first output nothing is sent; SIGNAL is sent at it. 125: refused, with the reason on stderr; 124: no exit frame.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use MIME::Base64;

my ($addr, $key, $job, $flags, $rows, $cols, $signal) = @ARGV;
my $host = IO::Socket::INET->new(PeerAddr => $addr) or die "connect to $addr: $!\n";
my $body = sprintf '{"job_id":"%s","flags":%d,"height":%d,"width":%d}', $job, $flags, $rows // 0, $cols // 0;

sub give {
	my ($bytes) = @_;
	while (length $bytes) {
		my $n = syswrite $host, $bytes;
		die "write: $!\n" unless defined $n;
		substr $bytes, 0, $n, '';
	}
}

sub take {
	my ($n) = @_;
	my $bytes = '';
	while (length $bytes < $n) {
		my $got = sysread $host, $bytes, $n - length $bytes, length $bytes;
		return undef unless $got;
	}
	return $bytes;
}

sub refused {
	print STDERR @_, "\n";
	exit 125;
}

give("POST /attach HTTP/1.1\r\nHost: $addr\r\nConnection: Upgrade\r\nUpgrade: flynn-attach/0\r\nAuthorization: Basic "
	. encode_base64(":$key", '') . "\r\nContent-Length: " . length($body) . "\r\n\r\n$body");
my $head = '';
until ($head =~ /\r\n\r\n\z/) {
	my $byte = take(1) // refused("closed: $head");
	$head .= $byte;
}
if ($head !~ m{^HTTP/1.1 101 }) {
	my ($len) = $head =~ /^Content-Length: (\d+)/mi;
	refused(take($len // 0) // '');
}

my $state;
do {
	$state = ord(take(1) // refused('closed before it was attached'));
	print STDERR "waiting\n" if $state == 1;
} while ($state == 1);
refused(take(unpack 'N', take(4))) if $state == 2;

# A child feeds the job, so that neither direction waits for the other.
my $feeder = 0;
if ($flags & 4) {
	$feeder = fork // die "fork: $!\n";
	if ($feeder == 0) {
		while (my $n = sysread STDIN, my $piece, 65536) {
			give(pack 'CCN a*', 3, 0, $n, $piece);
		}
		give(pack 'CCN', 3, 0, 0);
		exit 0;
	}
}

my $status = 124;
$| = 1;
while (defined(my $type = take(1))) {
	$type = ord $type;
	if ($type == 3) {
		my ($stream, $len) = unpack 'CN', take(5);
		my $data = $len ? take($len) : '';
		print { $stream == 2 ? *STDERR : *STDOUT } $data;
		give(pack 'CN', 4, $signal) if $signal && $len;
		undef $signal if $len;
	} elsif ($type == 5) {
		$status = unpack 'N', take(4);
		last;
	}
}
kill 'KILL', $feeder if $feeder;
exit $status;
