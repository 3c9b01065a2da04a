# Asks who has an address, three times within a second, without claiming it: ARP as a probe of RFC 5227, and neighbour
# solicitations of RFC 4861. Prints "has ADDRESS MAC INTERFACE" for everybody who answers, or announces it meanwhile; the
# asking node does not. At the end, "done who-has". For Debian's perl-base.   Usage: perl find-address-owner.pl SECONDS [INTERFACE ADDRESS]...
use strict;
use Socket;

$| = 1;
my ($seconds, @pairs) = @ARGV;
my (@asked, %reader, %seen, %index, %own);
while (my ($interface, $address) = splice @pairs, 0, 2) {
    my ($index, $mac) = map { of($interface, $_) } 'ifindex', 'address';
    next if !defined $index || !defined $mac;
    my $packed = Socket::inet_pton($address =~ /:/ ? AF_INET6 : AF_INET, $address);
    $index{$index} = $interface;
    $own{pack('H12', $mac =~ tr/://dr)} = 1; # what a node announces to a group of IPv6, it hears itself
    my $ask = (length($packed) == 4 ? \&arp : \&solicitation)->($index, pack('H12', $mac =~ tr/://dr), $packed);
    push @asked, $ask if $ask;
}

for my $round (1 .. 3) {
    $_->() for @asked;
    answers_for($round < 3 ? 0.3 : $seconds - 0.6);
}
print "done who-has\n" if @asked;

sub answers_for {
    my ($left) = @_;
    while ($left > 0) {
        my $waiting = '';
        vec($waiting, $_, 1) = 1 for keys %reader;
        (my $ready, $left) = select($waiting, undef, undef, $left); # Linux says how much time is left
        next if $ready <= 0;
        $reader{$_}->() for grep { vec($waiting, $_, 1) } keys %reader;
    }
}

sub of {
    my ($interface, $what) = @_;
    open(my $handle, '<', "/sys/class/net/$interface/$what") or return undef;
    chomp(my $value = <$handle>);
    return $value;
}

sub has {
    my ($address, $mac, $index) = @_;
    return if $own{$mac};
    my $family = length($address) == 4 ? AF_INET : AF_INET6;
    my $line = join ' ', 'has', Socket::inet_ntop($family, $address), join(':', unpack('(H2)*', $mac)), $index{$index};
    print "$line\n" if !$seen{$line}++;
}

# ARP (RFC 826) through a packet socket: PF_PACKET, SOCK_DGRAM, ETH_P_ARP. The sender's IP address is 0, so that no
# host takes the question for a claim.
sub arp {
    my ($index, $mac, $address) = @_;
    socket(my $socket, 17, SOCK_DGRAM, 0) or return;
    bind($socket, pack('S n i x12', 17, 0x0806, $index)) or return;
    $reader{fileno $socket} = sub {
        my $from_whom = recv($socket, my $packet, 128, 0);
        return if !defined $from_whom || length($packet) < 28;
        my ($from, $whose) = unpack('x8 a6 a4', $packet);
        has($whose, $from, $index) if $whose eq $address; # who asks from the address has it, too (RFC 5227, 2.1.1)
    };
    my $question = pack('n n C C n a6 x4 x6 a4', 1, 0x0800, 6, 4, 1, $mac, $address);
    my $everybody = pack('S n i S C C H16', 17, 0x0806, $index, 1, 0, 6, 'ffffffffffff0000');
    return sub { send($socket, $question, 0, $everybody) };
}

# ICMPv6 135 to the solicited-node group; the answer is 136, with the link-layer address as its option 2. The kernel
# adds the checksum. Level IPPROTO_IPV6: IPV6_MULTICAST_HOPS 18 (others ignore anything but 255), IPV6_MULTICAST_IF 17.
sub solicitation {
    my ($index, $mac, $address) = @_;
    socket(my $socket, PF_INET6, SOCK_RAW, 58) or return;
    setsockopt($socket, 41, 18, pack('i', 255)) && setsockopt($socket, 41, 17, pack('i', $index)) or return;
    $reader{fileno $socket} = sub {
        my $from_whom = recv($socket, my $packet, 1500, 0);
        return if !defined $from_whom || length($packet) < 32;
        my ($type, $whose, $option, $from) = unpack('C x7 a16 C x a6', $packet);
        has($whose, $from, $index) if $type == 136 && $whose eq $address && $option == 2;
    };
    my $question = pack('C x7 a16 C C a6', 135, $address, 1, 1, $mac); # with its own link-layer address: option 1
    my $group = pack('H26', 'ff0200000000000000000001ff') . substr($address, 13);
    return sub { send($socket, $question, 0, pack_sockaddr_in6(0, $group, $index)) };
}
