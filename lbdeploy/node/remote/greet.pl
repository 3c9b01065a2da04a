# Greets servers, all at once, and prints for each what is given of it, with the first byte that it answers, as two
# hexadecimal digits, or nothing; and nothing at all of a local socket that is not there. For Debian's perl-base, without
# its modules, which take longer to load than all of this: hence the numbers.
# Usage: perl greet.pl SECONDS GREETING [TEXT FAMILY ADDRESS]...   (hexadecimal: GREETING, and ADDRESS as in a sockaddr)
use strict;

$SIG{PIPE} = 'IGNORE';
my ($left, $hello, @servers) = @ARGV;
my $greeting = pack 'H*', $hello;
my (@texts, %answer, %socket);
my ($writing, $reading) = ('', '');

while (my ($text, $family, $address) = splice @servers, 0, 3) {
    next if $family == 1 && !-S pack('H*', $address); # AF_UNIX
    socket(my $socket, $family, 1, 0) or next; # SOCK_STREAM; what can't be asked is not told of
    push @texts, $text;
    fcntl $socket, 4, 2048; # F_SETFL, O_NONBLOCK
    connect $socket, pack('S H*', $family, $address);
    $socket{fileno $socket} = [$socket, $text];
    vec($writing, fileno $socket, 1) = 1;
}
while (%socket && $left > 0) {
    (my $ready, $left) = select(my $readable = $reading, my $writable = $writing, undef, $left); # Linux says what is left
    last if $ready < 0;
    for my $number (keys %socket) {
        my ($socket, $text) = @{$socket{$number}};
        if (vec $writable, $number, 1) {
            vec($writing, $number, 1) = 0;
            vec($reading, $number, 1) = 1 if syswrite $socket, $greeting;
        } elsif (vec $readable, $number, 1) {
            vec($reading, $number, 1) = 0;
            $answer{$text} = unpack 'H2', $_[0] if sysread $socket, $_[0], 1;
        }
        delete $socket{$number} if !vec($writing, $number, 1) && !vec($reading, $number, 1);
    }
}
print "$_ ", $answer{$_} // '', "\n" for @texts;
