#!/usr/bin/perl
# dns_ask - ask a name server one question: dns_ask.pl [-t] IP:PORT NAME TYPE
#
# Prints the status, TRUNCATED if the answer is, and a line a record of the answer. -t: by TCP.
use strict;
use warnings;
use IO::Socket::INET;

my $tcp = $ARGV[1] eq '-t' ? splice(@ARGV, 1, 1) : 0;
my ($server, $name, $type) = @ARGV;
my %types = (A => 1, SOA => 6, AAAA => 28, SRV => 33, ANY => 255);
my @rcodes = qw(NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED);

my $query = pack('n6', 4711, 0x0100, 1, 0, 0, 0)
    . join('', map { pack('C/a', $_) } split(/\./, $name)) . "\0" . pack('n2', $types{$type}, 1);
my $socket = IO::Socket::INET->new(PeerAddr => $server, Proto => $tcp ? 'tcp' : 'udp', Timeout => 5)
    or die "cannot connect to $server: $!\n";
$SIG{ALRM} = sub { die "no answer from $server\n" };
alarm 8;
my $answer = '';
if ($tcp) {
	print $socket pack('n/a', $query);
	$socket->flush;
	read($socket, my $head, 2) == 2 or die "the server closed the connection\n";
	read($socket, $answer, unpack('n', $head));
} else {
	$socket->send($query);
	$socket->recv($answer, 65535);
}

sub name_at {
	my ($at) = @_;
	my @labels;
	my $end;

	while ((my $len = ord substr($answer, $$at, 1)) > 0) {
		if ($len >= 0xc0) {
			$end //= $$at + 2;
			$$at = unpack('n', substr($answer, $$at, 2)) & 0x3fff;
			next;
		}
		push @labels, substr($answer, $$at + 1, $len);
		$$at += 1 + $len;
	}
	$$at = $end // $$at + 1;
	return join('.', @labels);
}

my ($id, $flags, $qd, $an) = unpack('n4', $answer);
die "an answer to something else\n" unless $id == 4711;
print $rcodes[$flags & 15], "\n";
print "TRUNCATED\n" if $flags & 0x0200;
my $at = 12;
for (1 .. $qd) {
	name_at(\$at);
	$at += 4;
}
for (1 .. $an) {
	name_at(\$at);
	my ($rtype, $class, $ttl, $len) = unpack('nnNn', substr($answer, $at, 10));
	my $data = $at += 10;
	$at += $len;
	if ($rtype == 1) {
		print 'A ', join('.', unpack('C4', substr($answer, $data, 4))), "\n";
	} elsif ($rtype == 28) {
		print 'AAAA ', join(':', map { sprintf '%x', $_ } unpack('n8', substr($answer, $data, 16))), "\n";
	} elsif ($rtype == 33) {
		my @numbers = unpack('n3', substr($answer, $data, 6));
		$data += 6;
		print "SRV @numbers ", name_at(\$data), "\n";
	} else {
		print "TYPE$rtype\n";
	}
}
