# Which hosts have nobody who listens for VRRP: sends them some (IP protocol 112, of router ID 0, which no router has), and
# prints "deaf PEER" for each whose kernel says that nobody wants it: ICMP "protocol unreachable" (RFC 792), ICMPv6
# "unrecognized next header" (RFC 4443, 3.4). Then "done deaf". For Debian's perl-base.
# Usage: perl probe-vrrp-listener.pl SECONDS OWN-ADDRESS PEER...
use strict;
use Socket;

$| = 1;
my ($seconds, $own, @peers) = @ARGV;
my $family = $own =~ /:/ ? PF_INET6 : PF_INET;
my (%waiting) = map { $_ => 1 } @peers;
socket(my $vrrp, $family, SOCK_RAW, 112) or exit 1;
socket(my $errors, $family, SOCK_RAW, $family == PF_INET ? 1 : 58) or exit 1;
bind($vrrp, address($own)) or exit 1;
# IPPROTO_IP: IP_TTL; IPPROTO_IPV6: IPV6_UNICAST_HOPS. A firewall may let VRRP in only with this one (RFC 5798, 5.1.1.3).
my ($level, $hops) = $family == PF_INET ? (0, 2) : (41, 16);
setsockopt($vrrp, $level, $hops, pack('i', 255));

for (1 .. 3) {
    send($vrrp, "\x30" . "\0" x 7, 0, address($_)) for keys %waiting;
    listen_for($seconds / 3);
}
print "done deaf\n";

sub listen_for {
    my ($left) = @_;
    while (%waiting && $left > 0) {
        my $ready = '';
        vec($ready, fileno $errors, 1) = 1;
        (my $found, $left) = select($ready, undef, undef, $left); # Linux says how much time is left
        next if $found <= 0 || !defined recv($errors, my $packet, 2048, 0);
        my $peer = unwanted($packet) // next;
        print "deaf $peer\n" if delete $waiting{$peer};
    }
}

# To whom the packet was sent that an error speaks of, if it says that nobody there wants protocol 112.
sub unwanted {
    my ($packet) = @_;
    substr($packet, 0, 4 * (ord($packet) & 15), "") if $family == PF_INET; # only IPv4 comes with its own header
    my ($type, $code) = unpack('C C', $packet);
    return undef if "$type $code" ne ($family == PF_INET ? '3 2' : '4 1') || length($packet) < 48 - 20 * ($family == PF_INET);
    my $sent = substr($packet, 8);
    return undef if $family == PF_INET ? ord(substr($sent, 9, 1)) != 112 : ord(substr($sent, 6, 1)) != 112;
    return Socket::inet_ntop($family, $family == PF_INET ? substr($sent, 16, 4) : substr($sent, 24, 16));
}

sub address {
    my $packed = Socket::inet_pton($family, $_[0]);
    return $family == PF_INET ? pack_sockaddr_in(0, $packed) : pack_sockaddr_in6(0, $packed);
}
