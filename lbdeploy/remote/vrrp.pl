# Listens for VRRP (RFC 5798: IP protocol 112, groups 224.0.0.18 and ff02::12) and prints "ID SOURCE" for each that it hears.
# For Debian's perl-base, which every node has.   Usage: perl vrrp.pl SECONDS
use strict;
use Socket;

$| = 1; # whoever ends it early has what it heard until then

my $end = time + $ARGV[0];
my %read = (4 => \&ipv4, 6 => \&ipv6);
my %socket;
socket($socket{4}, PF_INET, SOCK_RAW, 112) or delete $socket{4};
socket($socket{6}, PF_INET6, SOCK_RAW, 112) or delete $socket{6};
for my $file (glob '/sys/class/net/*/ifindex') {
    open(my $handle, '<', $file) or next;
    my $index = 0 + <$handle>;
    # Level IPPROTO_IP, option IP_ADD_MEMBERSHIP, struct ip_mreqn; IPPROTO_IPV6, IPV6_JOIN_GROUP, struct ipv6_mreq.
    setsockopt($socket{4}, 0, 35, pack('C4 x4 i', 224, 0, 0, 18, $index)) if $socket{4};
    setsockopt($socket{6}, 41, 20, pack('H32 I', 'ff020000000000000000000000000012', $index)) if $socket{6};
}

my %heard;
while ((my $left = $end - time) > 0) {
    my $waiting = '';
    vec($waiting, fileno($_), 1) = 1 for values %socket;
    select($waiting, undef, undef, $left) > 0 or next;
    for my $family (grep { vec($waiting, fileno($socket{$_}), 1) } keys %socket) {
        my $from = recv($socket{$family}, my $packet, 2048, 0);
        my ($id, $source) = $read{$family}->($packet, $from);
        print "$id $source\n" if defined $id && !$heard{"$id $source"}++;
    }
}

# A raw IPv4 socket gives the IP header, too: its length is in the first byte, the source in bytes 12 to 15.
sub ipv4 {
    my ($packet) = @_;
    my $start = 4 * (ord($packet) & 15);
    return if length($packet) < $start + 2;
    return (unpack("x$start x C", $packet), join('.', unpack('x12 C4', $packet)));
}

sub ipv6 {
    my ($packet, $from) = @_;
    return if length($packet) < 2;
    my (undef, $address) = unpack_sockaddr_in6($from);
    return (unpack('x C', $packet), Socket::inet_ntop(AF_INET6, $address));
}
