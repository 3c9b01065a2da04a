# Listens for VRRP (RFC 5798: IP protocol 112, groups 224.0.0.18 and ff02::12). For each that it hears, it prints
#   ID SOURCE INTERFACE    as it comes from the wire, before any firewall of this node
#   through ID SOURCE      as it reaches a program, such as keepalived, after that
# and, at the end, "done vrrp". For Debian's perl-base, which every node has: it is without Time::HiRes.
# Usage: perl listen-vrrp.pl SECONDS
use strict;
use Socket;

$| = 1; # whoever ends it early has what it heard until then

my ($left) = @ARGV;
my (%name, %reader, %seen);
for my $file (glob '/sys/class/net/*/ifindex') {
    open(my $handle, '<', $file) or next;
    $name{0 + <$handle>} = (split m{/}, $file)[4];
}
open_raw(PF_INET, \&ipv4);
open_raw(PF_INET6, sub { [unpack('x C', $_[0])]->[0], (unpack_sockaddr_in6($_[1]))[1] });
open_wire(0x0800, 9, \&ipv4);
open_wire(0x86dd, 6, sub { unpack('x41 C', $_[0]), substr($_[0], 8, 16) });

while (%reader && $left > 0) {
    my $waiting = '';
    vec($waiting, $_, 1) = 1 for keys %reader;
    (my $ready, $left) = select($waiting, undef, undef, $left); # Linux says how much time is left
    next if $ready <= 0;
    $reader{$_}->() for grep { vec($waiting, $_, 1) } keys %reader;
}
print "done vrrp\n" if keys %reader > 1;

sub open_raw {
    my ($family, $read) = @_;
    socket(my $socket, $family, SOCK_RAW, 112) or return;
    for my $index (keys %name) {
        # Level IPPROTO_IP, option IP_ADD_MEMBERSHIP, struct ip_mreqn; IPPROTO_IPV6, IPV6_JOIN_GROUP, struct ipv6_mreq.
        setsockopt($socket, 0, 35, pack('C4 x4 i', 224, 0, 0, 18, $index)) if $family == PF_INET;
        setsockopt($socket, 41, 20, pack('H32 I', 'ff020000000000000000000000000012', $index)) if $family == PF_INET6;
    }
    listen_on($socket, sub { 'through ' . said($read->(@_)) });
}

# A packet socket (packet(7): PF_PACKET, SOCK_DGRAM) for one kind of IP. Its filter leaves all but protocol 112 to the
# kernel: load the byte at $offset; equal to 112: keep the packet; otherwise: keep nothing of it.
sub open_wire {
    my ($protocol, $offset, $read) = @_;
    socket(my $socket, 17, SOCK_DGRAM, 0) or return;
    my $filter = pack('(S C C L)4', 0x30, 0, 0, $offset, 0x15, 0, 1, 112, 0x06, 0, 0, 65535, 0x06, 0, 0, 0);
    setsockopt($socket, SOL_SOCKET, 26, pack('S x![P] P', 4, $filter)) or return; # SO_ATTACH_FILTER
    bind($socket, pack('S n i x12', 17, $protocol, 0)) or return;
    listen_on($socket, sub { join ' ', said($read->(@_)), $name{unpack('x4 i', $_[1])} // '?' });
}

sub listen_on {
    my ($socket, $tell) = @_;
    $reader{fileno $socket} = sub {
        my $from = recv($socket, my $packet, 2048, 0);
        return if !defined $from || length($packet) < 2;
        my $line = $tell->($packet, $from);
        print "$line\n" if $line =~ /\d [0-9a-f.:]+/ && !$seen{$line}++;
    };
}

sub said {
    my ($id, $source) = @_;
    return '' if !defined $source;
    return "$id " . Socket::inet_ntop(length($source) == 4 ? AF_INET : AF_INET6, $source);
}

# The IP header's length is in its first byte, the source in bytes 12 to 15.
sub ipv4 {
    my ($packet) = @_;
    my $start = 4 * (ord($packet) & 15);
    return if length($packet) < $start + 2;
    return (unpack("x$start x C", $packet), substr($packet, 12, 4));
}
