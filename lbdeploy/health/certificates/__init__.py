"""What servers present in a TLS handshake: what is in it, what is wrong with it, and what renews it."""
