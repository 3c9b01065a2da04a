# Sends VRRP's peers what their firewalls take for an advert, twice a second: IP protocol 112 with a TTL of 255. Its
# router ID is 0, which no router has, so no keepalived minds it. What can't be sent is told: "unsent PEER REASON",
# and the end: "done hail". For Debian's perl-base.   Usage: perl hail.pl SECONDS OWN-ADDRESS PEER...
use strict;
use Socket;

$| = 1;
my ($seconds, $own, @peers) = @ARGV;
my $family = $own =~ /:/ ? PF_INET6 : PF_INET;
my (%told, $failure);
socket(my $socket, $family, SOCK_RAW, 112) or $failure = $!;
$failure //= $! if !bind($socket, address($own));
my ($level, $hops) = $family == PF_INET ? (0, 2) : (41, 16); # IPPROTO_IP, IP_TTL; IPPROTO_IPV6, IPV6_UNICAST_HOPS
setsockopt($socket, $level, $hops, pack('i', 255));
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
    return $family == PF_INET ? pack_sockaddr_in(0, $packed) : pack_sockaddr_in6(0, $packed);
}
