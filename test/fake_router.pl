#!/usr/bin/perl
# fake_router.pl PORT KEY - what the controller needs of others' small APIs: the router's routes, and a
# provider of resources at /databases.
use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64;

my ($port, $key) = @ARGV;
my $json = JSON::PP->new->canonical;
my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port", Listen => 64, ReuseAddr => 1) or die "listen: $!";
my (%routes, %once, %databases, %configs, $made);
my $last_port = 2999;

sub post_route {
	my ($in) = @_;
	my $once = delete $in->{once};

	return (200, $routes{$once{$once}}) if defined $once && $once{$once};
	$in->{config}{port} ||= ++$last_port if $in->{type} eq 'tcp';
	my $key = $in->{type} eq 'tcp' ? $in->{config}{port} : $in->{config}{domain} // '';
	my $id = "$in->{type}/" . md5_hex($key);

	return (400, { field => 'config.domain', message => 'must not be blank' }) if !length $key;
	return (409, { code => 'conflict', message => "route $key exists already" }) if $routes{$id};
	$in->{id} = $id;
	$routes{$id} = $in;
	$once{$once} = $id if defined $once;
	return (200, $in);
}

sub make_database {
	my ($config) = @_;
	my $id = ref $config eq 'HASH' && $config->{id} || '/databases/' . ++$made;

	$databases{$id} = 1;
	$configs{$id} = $config;
	return $id;
}

sub answer {
	my ($method, $path, $in) = @_;

	if ($method eq 'DELETE' && $path =~ m{^/databases\?(?:.*&)?id=([^&]+)}) {
		my $id = $1 =~ s/%(..)/chr hex $1/ger;
		return (500, { code => 'system', message => 'it is in use' }) if $id eq '/databases/busy';
		return delete $databases{$id} ? (200, {}) : (404, {});
	}
	return (400, { message => "\"$1\" is no status" }) if $path =~ m{^/requests\?.*&status=(\w+)};
	return (200, [{ time => '2014-08-16T01:02:03Z', path => $path }]) if $path =~ m{^/requests\?};
	return (200, \%configs) if $path eq '/configs';
	return (200, [sort keys %databases]) if $method eq 'GET' && $path eq '/databases';
	return (200, { id => make_database($in), env => { FLYNN_POSTGRES => 'postgres', PGUSER => 'u' } }) if $path =~ m{^/databases};
	return post_route($in) if $method eq 'POST' && $path eq '/routes';
	if ($path =~ m{^/routes\?parent_ref=(.*)$}) {
		my $parent = $1;
		return (200, [grep { $_->{parent_ref} eq $parent } map { $routes{$_} } sort keys %routes]);
	}
	return (200, [map { $routes{$_} } sort keys %routes]) if $path eq '/routes';
	my ($id) = $path =~ m{^/routes/(.+)$};
	return (404, {}) if !defined $id || !$routes{$id};
	return (200, $routes{$id}) if $method eq 'GET';
	if ($method eq 'PUT') {
		return (400, { message => 'a route stays what it is' }) if ($in->{config}{domain} // $routes{$id}{config}{domain}) ne $routes{$id}{config}{domain};
		$routes{$id}{config} = { %{$routes{$id}{config}}, %{$in->{config}} };
		$routes{$id}{parent_ref} = $in->{parent_ref} if $in->{parent_ref};
		return (200, $routes{$id});
	}
	delete $routes{$id};
	return (200, {});
}

$SIG{PIPE} = 'IGNORE';
while (my $c = $server->accept) {
	my ($head, $body, $len) = ('', '', 0);

	while (my $line = <$c>) {
		$head .= $line;
		$len = $1 if $line =~ /^Content-Length: (\d+)/i;
		last if $line eq "\r\n";
	}
	read $c, $body, $len if $len;
	my ($method, $path) = $head =~ m{^(\S+) (\S+)} or next;
	my ($sent) = $head =~ /^Authorization: Basic (\S+)/mi;
	my ($status, $value) = decode_base64($sent // '') eq ":$key"
	    ? answer($method, $path, length $body ? $json->decode($body) : undef)
	    : (401, { code => 'denied', message => 'wrong key' });
	my $out = $json->encode($value);

	if ($head =~ m{^Accept: text/event-stream}mi) { # it ends at once; who follows it comes again
		print {$c} "HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: $out\n\n";
		close $c;
		next;
	}
	print {$c} "HTTP/1.1 $status X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " . length($out) . "\r\n\r\n$out";
	close $c;
}
