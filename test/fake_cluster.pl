#!/usr/bin/perl
# fake_cluster.pl IP [claimed] - what flynn-bootstrap needs of a cluster, all in one: host, discoverd and controller.
#
# Every service is there but those called never-*. A process type called bad-* never comes up, whoever starts it, and one
# called slow-* neither comes up nor fails. GET /status/N answers N. With "claimed" the host has a cluster. Each request that
# changes something is a line on standard output.
use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use IO::Select;
use IO::Socket::INET;
use JSON::PP;

my ($ip, $mode) = @ARGV;
my $json = JSON::PP->new->canonical;
my (%listeners, %clients, @events, %jobs);
my $select = IO::Select->new;

sub reply {
	my ($c, $status, $value) = @_;
	my $body = $json->encode($value // {});

	print {$c->{sock}} "HTTP/1.1 $status X\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
}

sub stream {
	my ($c, @messages) = @_;

	print {$c->{sock}} "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", map { "data: $_\n\n" } @messages;
}

# What becomes of a job, to all that listen, and to who comes to listen later.
sub come_up {
	my ($job) = @_;
	my $type = $job->{metadata}{'flynn-controller.type'} // '';
	my %active = (job => $job, host_id => 'host0', ports => [], healthy => JSON::PP::true, status => 'running');
	my $event = 'up';

	return if $type =~ /^slow/;
	if ($type =~ /^bad/) {
		%active = (%active, healthy => JSON::PP::false, status => 'failed', error => "$type exited 7: no luck");
		$event = 'error';
	}
	$jobs{$job->{id}} = \%active;
	my $line = $json->encode({ event => $event, job_id => $job->{id}, job => \%active });

	print {$_} "data: $line\n\n" for @events;
}

sub host {
	my ($c, $method, $path, $in) = @_;

	if ($method eq 'POST') { # a bootstrap begins
		%jobs = ();
		return reply($c, 409, { code => 'conflict', message => 'this host belongs to a cluster already' }) if $mode;
		return stream($c, $json->encode({ key => 'c1', host_id => 'host0', external_ip => $ip }));
	}
	if ($path eq '/host/jobs') {
		push @events, $c->{sock};
		return stream($c, $json->encode({ event => 'current', jobs => \%jobs }));
	}
	reply($c, 200);
	come_up($in) if $path =~ m{^/host/jobs/};
}

sub discoverd {
	my ($c, $name) = @_;
	my $addr = $name eq 'flynn-host' ? "$ip:1113" : "$ip:8000";
	my $instance = { id => md5_hex("tcp-$addr"), addr => $addr, proto => 'tcp', index => 1, meta => { id => 'host0' } };
	my @kinds = $name =~ /^never/ ? () : qw(up leader);

	stream($c, map({ $json->encode({ service => $name, kind => $_, instance => $instance }) } @kinds),
		$json->encode({ service => $name, kind => 'current' }));
}

# The scheduler's part: the jobs of a formation; one that fails is replaced, five times here.
sub schedule {
	my ($app, $release, $processes) = @_;

	for my $type (sort keys %$processes) {
		my %meta = ('flynn-controller.app' => $app, 'flynn-controller.release' => $release, 'flynn-controller.type' => $type);

		come_up({ id => 'host0-' . md5_hex("$type$_"), artifact => { type => 'docker', uri => 'x' }, metadata => \%meta })
			for 1 .. ($type =~ /^bad/ ? 5 : 1);
	}
}

sub controller {
	my ($c, $method, $path, $in) = @_;

	return reply($c, $1) if $path =~ m{^/status/(\d+)};
	return reply($c, 400, { field => 'name', message => 'is taken' }) if $path eq '/apps' && $in->{name} eq 'taken';
	if ($path =~ m{^/apps/([^/]+)/formations/(.+)}) { # what it starts may have failed before the answer is there
		schedule($1, $2, $in->{processes});
		select undef, undef, undef, 0.1;
	}
	reply($c, 200, $path eq '/databases' ? { id => '/databases/1', env => { PGUSER => 'u' } } : { id => $in->{id} // 'made' });
}

sub request {
	my ($c, $method, $path, $body) = @_;
	my $in = length $body ? $json->decode($body) : {};

	print "$method $path ", $json->encode($in), "\n" if $method ne 'GET';
	return host($c, $method, $path, $in) if $path =~ m{^/host/};
	return discoverd($c, $1) if $path =~ m{^/services/([^/?]+)};
	controller($c, $method, $path, $in);
}

sub readable {
	my ($c) = @_;

	while ($c->{in} =~ /^(.*?\r\n\r\n)/s) {
		my $head = $1;
		my ($len) = $head =~ /^Content-Length: (\d+)/mi;
		my ($method, $path) = $head =~ m{^(\S+) (\S+)};

		$len //= 0;
		return if length $c->{in} < length($head) + $len;
		my $body = substr $c->{in}, length $head, $len;
		substr($c->{in}, 0, length($head) + $len) = '';
		request($c, $method, $path, $body);
	}
}

sub gone {
	my ($sock) = @_;

	@events = grep { $_ != $sock } @events;
	$select->remove($sock);
	delete $clients{$sock};
	close $sock;
}

$SIG{PIPE} = 'IGNORE';
STDOUT->autoflush(1);
for my $port (1111, 1113, 8000) {
	my $l = IO::Socket::INET->new(LocalAddr => "$ip:$port", Listen => 64, ReuseAddr => 1) or die "listen: $!";

	$listeners{$l} = 1;
	$select->add($l);
}
while (1) {
	for my $sock ($select->can_read) {
		if ($listeners{$sock}) {
			my $new = $sock->accept or next;

			$new->autoflush(1);
			$select->add($new);
			$clients{$new} = { sock => $new, in => '' };
		} elsif (!sysread $sock, $clients{$sock}{in}, 65536, length $clients{$sock}{in}) {
			gone($sock);
		} else {
			readable($clients{$sock});
		}
	}
}
