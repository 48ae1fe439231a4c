#!/usr/bin/perl
# dns_answer - a name server that knows one address for every name: dns_answer.pl IP:PORT ADDRESS
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;

my ($here, $address) = @ARGV;
my $udp = IO::Socket::INET->new(LocalAddr => $here, Proto => 'udp') or die "$here: $!\n";
my $tcp = IO::Socket::INET->new(LocalAddr => $here, Proto => 'tcp', Listen => 5, ReuseAddr => 1) or die "$here: $!\n";
my $select = IO::Select->new($udp, $tcp);

sub answer {
	my ($query) = @_;
	my ($id) = unpack('n', $query);

	return pack('n6', $id, 0x8180, 1, 1, 0, 0) . substr($query, 12)
	    . pack('nnnNn', 0xc00c, 1, 1, 60, 4) . pack('C4', split(/\./, $address));
}

while (my @ready = $select->can_read) {
	for my $socket (@ready) {
		if ($socket == $udp) {
			my $from = $udp->recv(my $query, 4096);

			$udp->send(answer($query), 0, $from);
		} else {
			my $client = $tcp->accept or next;

			my ($head, $query) = ('', '');

			if (read($client, $head, 2) && length $head == 2) {
				read($client, $query, unpack('n', $head));
				print $client pack('n/a', answer($query));
			}
			close $client;
		}
	}
}
