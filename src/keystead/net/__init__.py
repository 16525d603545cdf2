"""The way out: requests to whom the configuration or an administrator names, and to no address that nobody may ask.

addresses   where a name may lead to
trust       who may vouch for a server, and how TLS is spoken
answer      one reply, bounded, whole or refused
hosts       connections to one host on the same terms
sinks       lines to a socket that somebody reads
https       core.ports.Net: a request within a time that is kept in all
"""
