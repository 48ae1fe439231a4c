#!/usr/bin/perl
# fake_discoverd.pl PORT SERVICE=ADDR[,ADDR...][=ID] ... - services that never change: their instances, whose meta has the id.
use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use IO::Socket::INET;
use JSON::PP;

my $port = shift @ARGV;
my %services = map { my ($name, @rest) = split /=/; ($name => [@rest]) } @ARGV;
my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port", Listen => 64, ReuseAddr => 1) or die "listen: $!";
my @streams; # kept open

$SIG{PIPE} = 'IGNORE';
while (my $c = $server->accept) {
	my ($name) = (<$c> // '') =~ m{^GET /services/([^/? ]+)};

	while (my $line = <$c>) {
		last if $line eq "\r\n";
	}
	$c->autoflush(1);
	if (!defined $name) { # no stream of all services: clients follow each
		print {$c} "HTTP/1.1 404 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
		next;
	}
	print {$c} "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
	if (my $s = $services{$name}) {
		my $index = 0;

		for my $addr (split /,/, $s->[0]) {
			my $instance = { id => md5_hex("tcp-$addr"), addr => $addr, proto => 'tcp', index => ++$index, meta => { id => $s->[1] // '' } };

			print {$c} 'data: ' . encode_json({ service => $name, kind => $_, instance => $instance }) . "\n\n"
			    for $index == 1 ? qw(up leader) : 'up';
		}
	}
	print {$c} 'data: ' . encode_json({ service => $name, kind => 'current' }) . "\n\n";
	push @streams, $c;
}
