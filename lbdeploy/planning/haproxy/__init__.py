"""What belongs to haproxy.cfg besides its template."""
