#!/usr/bin/perl
# fake_host.pl PORT KEY - what the controller needs of flynn-host: jobs that echo their input.
#
# A job that is attached answers each line of stdin with "you said: ...", and exits 3 at its end.
# GET /attaches tells of all that were attached, GET /removed of volumes and images, GET /host/usage what POST /usage/JOB gave;
# the volume of a job type "busy" is in use. A command run in a job is attached as a job is, but says what it was asked for first.
# Every job's log is "hello", "wörld" and an exit 0. A job whose command is "refuse" is not taken, nor is one whose command is
# "away" for now, and the log of one whose command is "torn" breaks off.
use strict;
use warnings;
use Encode;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64;

my ($port, $key) = @ARGV;
my $json = JSON::PP->new->canonical;
my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port", Listen => 64, ReuseAddr => 1) or die "listen: $!";
my $select = IO::Select->new($server);
my (%clients, %jobs, %waiting, %logs, %usage, @attaches, @removed);

sub reply {
	my ($c, $status, $value) = @_;
	my $body = defined $value ? $json->encode($value) : '';

	print {$c->{sock}} "HTTP/1.1 $status X\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
}

sub frame { my ($stream, $data) = @_; return pack('CCN', 3, $stream, length $data) . $data }

sub active {
	my ($job) = @_;

	return { job => $job, host_id => (split /-/, $job->{id})[0], status => 'running', ports => [], healthy => JSON::PP::true };
}

sub attached {
	my ($c) = @_;

	print {$c->{sock}} "\0";
	$c->{attached} = 1;
	return logged($c) if $c->{timestamps};
	if ($c->{flags} & 8 && ($jobs{$c->{job}}{config}{cmd}[0] // '') eq 'torn') { # the host dies in the middle of it
		print {$c->{sock}} frame(1, "hello\n"), substr frame(1, "and more\n"), 0, 9;
		shutdown $c->{sock}, 1;
	} elsif ($c->{flags} & 8) {
		print {$c->{sock}} frame(1, "hello\nw\xc3"), frame(1, "\xb6rld\n"), frame(2, "oops\n"), frame(1, ''), frame(2, ''), pack('CN', 5, 0);
		shutdown $c->{sock}, 1;
	}
}

sub line { my ($l) = @_; return frame($l->[0], Encode::encode_utf8("$l->[1]\n")) }

# A log with times is what POST /log/JOB gave it, an array of [stream, "time text"]; followed, it does not end.
sub logged {
	my ($c) = @_;
	my @lines = @{$logs{$c->{job}} // []};
	my $tail = $c->{flags} & 8 ? $c->{tail} // -1 : 0;

	splice @lines, 0, @lines - $tail if $tail >= 0 && @lines > $tail;
	print {$c->{sock}} line($_) for @lines;
	return if $c->{flags} & 16;
	print {$c->{sock}} frame(1, ''), frame(2, '');
	shutdown $c->{sock}, 1;
}

sub add_log {
	my ($c, $id, $lines) = @_;

	push @{$logs{$id}}, @$lines;
	for my $f (grep { $_->{attached} && $_->{timestamps} && $_->{job} eq $id && $_->{flags} & 16 } values %clients) {
		print {$f->{sock}} line($_) for @$lines;
	}
	reply($c, 200, {});
}

sub attach {
	my ($c, $in) = @_;

	push @attaches, $in;
	$c->{job} = $in->{job_id};
	$c->{flags} = $in->{flags};
	$c->{timestamps} = $in->{timestamps};
	$c->{tail} = $in->{tail};
	print {$c->{sock}} "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: flynn-attach/0\r\n\r\n";
	return attached($c) if $jobs{$c->{job}};
	print {$c->{sock}} "\1";
	push @{$waiting{$c->{job}}}, $c;
}

sub run_beside {
	my ($c, $id, $in) = @_;

	return reply($c, 404, { code => 'not_found', message => "unknown job $id" }) if !$jobs{$id};
	return reply($c, 409, { code => 'conflict', message => "job $id is ended and does not run" }) if $in->{cmd}[0] eq 'refuse';
	$c->{job} = $id;
	$c->{flags} = 0;
	print {$c->{sock}} "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: flynn-attach/0\r\n\r\n";
	attached($c);
	print {$c->{sock}} frame(1, $json->encode($in));
}

sub put_job {
	my ($c, $id, $job) = @_;

	return reply($c, 400, { code => 'invalid', message => 'image x is not here' }) if ($job->{config}{cmd}[0] // '') eq 'refuse';
	return reply($c, 503, { code => 'unavailable', message => 'the engine does not answer' }) if ($job->{config}{cmd}[0] // '') eq 'away';
	return reply($c, 409, { code => 'conflict', message => 'job exists' }) if $jobs{$id};
	$jobs{$id} = $job;
	reply($c, 200, {});
	attached($_) for @{delete $waiting{$id} // []};
}

sub image {
	my ($c, $uri) = @_;

	return reply($c, 404, { code => 'not_found', message => 'image nope is not on this host' }) if $uri =~ /nope/;
	reply($c, 200, { uri => "$uri&id=sha256:1", cmd => ['/x'], entrypoint => undef });
}

sub remove {
	my ($c, $path) = @_;

	return reply($c, 409, { code => 'conflict', message => 'volume is in use' }) if $path =~ m{^/host/volumes/\w+-busy$};
	push @removed, $path;
	reply($c, 200, {});
}

sub request {
	my ($c, $method, $path, $head, $body) = @_;
	my $in = length $body ? $json->decode($body) : undef;
	my ($sent) = $head =~ /^Authorization: Basic (\S+)/mi;

	return reply($c, 401) if decode_base64($sent // '') ne ":$key";
	return attach($c, $in) if $path eq '/attach';
	return add_log($c, $1, $in) if $path =~ m{^/log/(.+)$};
	return reply($c, 200, \@attaches) if $path eq '/attaches';
	return reply($c, 200, \@removed) if $path eq '/removed';
	return image($c, $in->{uri}) if $path eq '/host/images' && $method eq 'POST';
	return remove($c, $path) if $method eq 'DELETE' && $path =~ m{^/host/(volumes/|images\?)};
	return reply($c, 200, { map { $_ => $usage{$_} } grep { ($jobs{$_}{metadata}{'flynn-controller.app'} // '') eq $1 } keys %usage })
	    if $path =~ m{^/host/usage\?app=(\w+)$};
	if ($path =~ m{^/usage/(.+)$}) {
		$usage{$1} = $in;
		return reply($c, 200, {});
	}
	return run_beside($c, $1, $in) if $path =~ m{^/host/jobs/([^/]+)/exec$};
	return list($c, $head =~ m{^Accept: text/event-stream}mi) if $path eq '/host/jobs';
	my ($id) = $path =~ m{^/host/jobs/(.+)$} or return reply($c, 404, { code => 'not_found', message => 'nothing there' });
	return put_job($c, $id, $in) if $method eq 'PUT';
	return reply($c, 404, { code => 'not_found', message => "unknown job $id" }) if !$jobs{$id};
	return reply($c, 200, active($jobs{$id})) if $method eq 'GET';
	delete $jobs{$id};
	reply($c, 200, {});
}

# Who follows them is told no more than which there are.
sub list {
	my ($c, $follows) = @_;
	my %all = map { $_ => active($jobs{$_}) } keys %jobs;

	return reply($c, 200, \%all) if !$follows;
	print {$c->{sock}} "HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\n\r\n",
	    'data: ' . $json->encode({ event => 'current', jobs => \%all }) . "\n\n";
}

# Frames from an attached client.
sub frames {
	my ($c) = @_;

	$c->{in} =~ s/^(\x04....)+//s; # signals
	while ($c->{in} =~ /^\x03\x00(....)/s && length $c->{in} >= 6 + unpack('N', $1)) {
		my $data = substr $c->{in}, 6, unpack('N', $1);

		substr($c->{in}, 0, 6 + length $data) = '';
		$c->{in} =~ s/^(\x04....)+//s;
		if (length $data) {
			print {$c->{sock}} frame(1, "you said: $data");
		} else {
			print {$c->{sock}} frame(1, ''), frame(2, ''), pack('CN', 5, 3);
			shutdown $c->{sock}, 1;
		}
	}
}

sub readable {
	my ($c) = @_;

	return frames($c) if $c->{attached};
	while ($c->{in} =~ /^(.*?\r\n\r\n)/s) {
		my $head = $1;
		my ($len) = $head =~ /^Content-Length: (\d+)/mi;
		my ($method, $path) = $head =~ m{^(\S+) (\S+)};

		$len //= 0;
		return if length $c->{in} < length($head) + $len;
		my $body = substr $c->{in}, length $head, $len;
		substr($c->{in}, 0, length($head) + $len) = '';
		request($c, $method, $path, $head, $body);
		last if defined $c->{job};
	}
}

$SIG{PIPE} = 'IGNORE';
while (1) {
	for my $sock ($select->can_read) {
		if ($sock == $server) {
			my $new = $server->accept or next;
			$new->autoflush(1);
			$select->add($new);
			$clients{$new} = { sock => $new, in => '' };
			next;
		}
		my $c = $clients{$sock};
		if (!sysread $sock, $c->{in}, 65536, length $c->{in}) {
			$select->remove($sock);
			delete $clients{$sock};
			close $sock;
			next;
		}
		readable($c);
	}
}
