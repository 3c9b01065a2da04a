# What nodes that change together hear from each other on the wire, before any firewall, and say to each other. A datagram
# of theirs is IP protocol 112, as VRRP's, with router ID 0, which no router has, so that no keepalived minds it: a header
# without content, and "lbdeploy KEY WORD NAME". Other VRRP is an advert: its source, "group" where it goes to VRRP's
# group and "host" elsewhere, and its bytes in hexadecimal are matched with the adverts of peers with the old and with the
# new configuration.
#
# RUN.says has the word that is said, several times a second. RUN.heard gets a line for each thing that was heard: when
# last (uptime in 1/100 s), the word, or "old" or "new", and who it was from; first "hears all", once it listens. New
# adverts of somebody who has said nothing for 2 s are "ended", too: a node says something for as long as its unit runs.
# Whose last new advert had priority 0 has "left" (RFC 5798, 6.4.3): it had the VIPs, and has let go of them.
# Once there is RUN.ask, this node has let go of the VIPs: whoever is heard with the old configuration gets an advert of the
# lowest priority, at which keepalived announces its VIPs to all (garp_lower_prio_repeat in keepalived.conf(5)).
# Standard input has a line each: KEY, the own NAME, a regular expression for old adverts, one for new ones ("" for none),
# and the peers' addresses. For Debian's perl-base.   Usage: perl agree.pl RUN
use strict;
use Socket;

# The node's unit is ended with all of its processes: this one is needed for what comes then. It ends with its parent,
# which may have ended already: then process 1 has taken its place.
$SIG{TERM} = 'IGNORE';
my $parent = getppid();
my ($run) = @ARGV;
chomp(my ($key, $name, $old, $new, @peers) = <STDIN>);
my (%reader, $says, $said, $asked, @holder);
my ($began, $last_word) = (now(), 0);
my %heard = ('hears all' => now());
join_groups();
open_wire(0x0800, 9, sub { unpack('x8 C x3 a4 a4', $_[0]), substr($_[0], 4 * (ord($_[0]) & 15)) });
open_wire(0x86dd, 6, sub { unpack('x7 C a16 a16', $_[0]), substr($_[0], 40) });
write_down() if %reader;
while ($parent != 1 && getppid() == $parent) {
    my $waiting = '';
    vec($waiting, $_, 1) = 1 for keys %reader;
    if (select($waiting, undef, undef, 0.1) > 0) {
        $reader{$_}->() for grep { vec($waiting, $_, 1) } keys %reader;
    }
    say_it();
    ask_to_announce() if -e "$run.ask" && now() > $asked + 10;
}

sub now {
    open(my $file, '<', '/proc/uptime') or return 0;
    return <$file> =~ /^(\d+)\.(\d\d)/ ? "$1$2" : 0;
}

sub hear {
    my ($source, $group, $bytes, $index) = @_;
    return if length($bytes) < 8;
    if ($bytes =~ /^\x30\0{7}lbdeploy \Q$key\E (\w+) (\S+)$/) {
        return if $2 eq $name;
        $heard{"$1 $2"} = $last_word = now();
    } elsif ((ord($bytes) & 15) == 1) { # RFC 5798, 5.2.2: an advert, and not what other runs' nodes say to each other
        my $advert = "$source $group " . unpack('H*', $bytes);
        if ($old ne '' && $advert =~ /^(?:$old)$/) {
            $heard{"old $source"} = now();
            @holder = ($source, $group, $bytes, $index);
        }
        return write_down() if $new eq '' || $advert !~ /^(?:$new)$/;
        $heard{"new $source"} = now();
        if (ord(substr($bytes, 2, 1))) { delete $heard{"left $source"} } else { $heard{"left $source"} = now() }
        $heard{"ended $source"} = now() if now() > 200 + ($last_word > $began ? $last_word : $began);
    }
    write_down();
}

sub write_down {
    open(my $file, '>', "$run.heard-new") or return;
    print $file "$heard{$_} $_\n" for keys %heard;
    close($file) && rename("$run.heard-new", "$run.heard");
}

sub say_it {
    open(my $file, '<', "$run.says") or return;
    chomp(my $word = <$file>);
    return if $word eq '' || ($word eq $says && now() < $said + 25);
    ($says, $said) = ($word, now());
    for my $peer (@peers) {
        my $family = $peer =~ /:/ ? PF_INET6 : PF_INET;
        my $packed = Socket::inet_pton($family, $peer);
        socket(my $socket, $family, SOCK_RAW, 112) or next;
        my ($level, $hops) = $family == PF_INET ? (0, 2) : (41, 16); # IPPROTO_IP, IP_TTL; IPPROTO_IPV6, IPV6_UNICAST_HOPS
        setsockopt($socket, $level, $hops, pack('i', 255));
        my $to = $family == PF_INET ? pack_sockaddr_in(0, $packed) : pack_sockaddr_in6(0, $packed);
        send($socket, "\x30" . "\0" x 7 . "lbdeploy $key $word $name", 0, $to);
    }
}

# The holder's own advert, with priority 1 and a new checksum: of the message alone in version 2, and in version 3 of the
# addresses, too (RFC 5798, 5.2.8). The kernel adds that of IPv6: option IPV6_CHECKSUM (7), at byte 6.
sub ask_to_announce {
    ($asked) = now();
    return if !@holder || now() > 300 + ($heard{"old $holder[0]"} // 0);
    my ($source, $group, $bytes, $index) = @holder;
    my $family = $source =~ /:/ ? PF_INET6 : PF_INET;
    socket(my $socket, $family, SOCK_RAW, 112) or return;
    substr($bytes, 2, 1) = "\x01";
    substr($bytes, 6, 2) = "\0\0";
    if ($family == PF_INET6) {
        setsockopt($socket, 41, $_, pack('i', 255)) for 16, 18;
        setsockopt($socket, 41, 7, pack('i', 6));
        my $to = Socket::inet_pton($family, $group eq 'group' ? 'ff02::12' : $source);
        send($socket, $bytes, 0, pack_sockaddr_in6(0, $to, $group eq 'group' ? $index : 0));
        return;
    }
    setsockopt($socket, 0, $_, pack('i', 255)) for 2, 33;
    setsockopt($socket, 0, 32, pack('x8 i', $index)); # IP_MULTICAST_IF, struct ip_mreqn
    my $to = Socket::inet_aton($group eq 'group' ? '224.0.0.18' : $source);
    connect($socket, pack_sockaddr_in(0, $to)) or return;
    my ($own) = (unpack_sockaddr_in(getsockname($socket)))[1];
    my $checked = (ord($bytes) >> 4 == 3 ? $own . $to . pack('n n', 112, length($bytes)) : '') . $bytes;
    $checked .= "\0" if length($checked) % 2;
    my $sum = 0;
    $sum += $_ for unpack('n*', $checked);
    $sum -= 0xffff * ($sum >> 16) while $sum >> 16;
    substr($bytes, 6, 2) = pack('n', ~$sum & 0xffff);
    send($socket, $bytes, 0);
}

# A packet socket (packet(7): PF_PACKET, SOCK_DGRAM) for one kind of IP. Its filter leaves all but protocol 112 to the
# kernel: load the byte at $offset; equal to 112: keep the packet; otherwise: keep nothing of it.
sub open_wire {
    my ($protocol, $offset, $read) = @_;
    socket(my $socket, 17, SOCK_DGRAM, 0) or return;
    my $filter = pack('(S C C L)4', 0x30, 0, 0, $offset, 0x15, 0, 1, 112, 0x06, 0, 0, 65535, 0x06, 0, 0, 0);
    setsockopt($socket, SOL_SOCKET, 26, pack('S x![P] P', 4, $filter)) or return; # SO_ATTACH_FILTER
    bind($socket, pack('S n i x12', 17, $protocol, 0)) or return;
    $reader{fileno $socket} = sub {
        my $from = recv($socket, my $packet, 2048, 0);
        return if !defined $from || length($packet) < 28;
        my ($hops, $source, $target, $bytes) = $read->($packet);
        return if $hops != 255; # RFC 5798, 5.1.1.3: it comes from behind a router
        my $group = $target eq "\xe0\0\0\x12" || $target eq pack('H32', 'ff020000000000000000000000000012');
        my $from_whom = Socket::inet_ntop(length($source) == 4 ? AF_INET : AF_INET6, $source);
        hear($from_whom, $group ? 'group' : 'host', $bytes, unpack('x4 i', $from));
    };
}

# Before keepalived runs, nobody else has the network cards take what goes to VRRP's groups. Level IPPROTO_IP, option
# IP_ADD_MEMBERSHIP, struct ip_mreqn; IPPROTO_IPV6, IPV6_JOIN_GROUP, struct ipv6_mreq.
sub join_groups {
    socket(our $ipv4, PF_INET, SOCK_RAW, 112);
    socket(our $ipv6, PF_INET6, SOCK_RAW, 112);
    for my $file (glob '/sys/class/net/*/ifindex') {
        open(my $handle, '<', $file) or next;
        my $index = 0 + <$handle>;
        setsockopt($ipv4, 0, 35, pack('C4 x4 i', 224, 0, 0, 18, $index));
        setsockopt($ipv6, 41, 20, pack('H32 I', 'ff020000000000000000000000000012', $index));
    }
}
