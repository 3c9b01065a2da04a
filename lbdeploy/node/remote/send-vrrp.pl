# Sends VRRP's peers what their firewalls take for an advert, twice a second: IP protocol 112 with a TTL of 255. Its
# router ID is 0, which no router has, so no keepalived minds it. What can't be sent is told: "unsent PEER REASON",
# and the end: "done hail". A peer may be the group of VRRP, too. For Debian's perl-base.
# Usage: perl send-vrrp.pl SECONDS INTERFACE OWN-ADDRESS PEER...
use strict;
use Socket;

$| = 1;
my ($seconds, $interface, $own, @peers) = @ARGV;
my $family = $own =~ /:/ ? PF_INET6 : PF_INET;
my (%told, $failure);
socket(my $socket, $family, SOCK_RAW, 112) or $failure = $!;
$failure //= $! if !bind($socket, address($own));
# IPPROTO_IP: IP_TTL, IP_MULTICAST_TTL; IPPROTO_IPV6: IPV6_UNICAST_HOPS, IPV6_MULTICAST_HOPS.
my ($level, @hops) = $family == PF_INET ? (0, 2, 33) : (41, 16, 18);
setsockopt($socket, $level, $_, pack('i', 255)) for @hops;
for (1 .. 2 * $seconds) {
    for my $peer (@peers) {
        next if !$failure && defined send($socket, "\x30" . "\0" x 7, 0, address($peer));
        print 'unsent ', $peer, ' ', $failure // $!, "\n" if !$told{$peer}++;
    }
    select(undef, undef, undef, 0.5);
}
print "done hail\n";

sub address {
    my $packed = Socket::inet_pton($family, $_[0]);
    return pack_sockaddr_in(0, $packed) if $family == PF_INET;
    return pack_sockaddr_in6(0, $packed, $_[0] =~ /^ff/ ? index_of($interface) : 0);
}

# A group of IPv6 is one of a link. That of IPv4 goes out where the socket's own address is.
sub index_of {
    open(my $file, '<', "/sys/class/net/$_[0]/ifindex") or return 0;
    return 0 + <$file>;
}
