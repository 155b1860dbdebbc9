// The names, texts and hints of every error code; docs/ERRORS.md is checked against this table.
#include "base/errc.h"

#include <algorithm>
#include <array>

namespace sealwire {

namespace {

constexpr auto kTable = std::to_array<ErrcInfo>({
    {Errc::ok, "ok", "no error", ""},
    {Errc::argument, "argument", "an argument is not valid",
     "The detail names the argument; compare it with the function's description."},
    {Errc::handle, "handle", "the handle is stale, foreign or null",
     "Its object is over, or it was never a handle of this kind. Stop using a handle at its object's last event."},
    {Errc::closed, "closed", "the object is closing", "Close was called; wait for its last event."},
    {Errc::state, "state", "the call does not fit the state of the object",
     "The detail says what was expected first, or what has happened already."},
    {Errc::thread, "thread", "the call cannot be made on this thread",
     "sw_node_close and sw_node_wait wait for the loop thread; from a callback use sw_node_shutdown."},
    {Errc::fork, "fork", "the process has forked since the library was opened",
     "Handles belong to the parent. Open a new node in the child after exec, or use spawn in place of fork."},
    {Errc::no_memory, "no_memory", "out of memory", "Nothing was changed by the call; free memory and try again."},
    {Errc::again, "again", "the send queue is full",
     "Nothing was taken; wait for the writable event, then send again."},
    {Errc::system, "system", "the operating system refused", "The detail carries the system's own message."},
    {Errc::too_many, "too_many", "there are too many already",
     "Nothing was done. The number is fixed, and the detail names it where it is not plain: wait until one of them is "
     "over."},
    {Errc::address, "address", "the address or ticket cannot be used",
     "Write tcp://host:port, tls://host:port, ws:// or wss://host:port/path, unix:///path or unix:@name; a ticket has "
     "#peer-id behind it."},
    {Errc::name, "name", "the host name cannot be resolved", "Check its spelling and the machine's name service."},
    {Errc::in_use, "in_use", "the address is in use", "Another program listens there; stop it, or listen on port 0."},
    {Errc::permission, "permission", "permission denied",
     "Check the rights on the file, folder or socket path, or use a port of 1024 or higher."},
    {Errc::key_file, "key_file", "the key file cannot be used",
     "To be read it must exist, hold a key as `sealwire keygen` writes it, and be readable by its owner only (chmod "
     "600). "
     "A new key is never written over a file: use the key that is there, name another file, or move the old one away."},
    {Errc::key, "key", "the key or network text is not valid",
     "A peer id has 52 characters of base32; a network secret starts with swnet1 and carries a checksum; a passphrase "
     "for "
     "one has at least 12 bytes."},
    {Errc::descriptors, "descriptors", "out of file descriptors", "Raise the limit (ulimit -n) or close connections."},
    {Errc::not_found, "not_found", "there is no such file or folder", "Check the path."},
    {Errc::file_type, "file_type", "it is not of the kind that is wanted",
     "Only regular files are sent, and files are saved into folders; the detail says what it is."},
    {Errc::file_name, "file_name", "the name cannot be used for a file",
     "The sender chose it; save the part under a name of your own, or refuse it."},
    {Errc::file_exists, "file_exists", "a file of this name exists already",
     "Nothing is ever replaced; save the part under another name, or move the file away."},
    {Errc::no_space, "no_space", "the disk is full", "Free some space, or raise the quota; nothing partial was left."},
    {Errc::io, "io", "the disk failed", "The detail carries the system's own message; check the disk."},
    {Errc::file_changed, "file_changed", "the file changed while it was sent",
     "Send it again when nobody writes to it, or send a copy."},
    {Errc::digest, "digest", "the bytes are not those that their sender hashed",
     "Nothing was saved. Either end's disk or memory may be failing, or the sender gave no digest (see unchecked)."},
    {Errc::refused, "refused", "nothing is listening there",
     "Start the peer, or correct the address: host and port, or the path of its socket."},
    {Errc::unreachable, "unreachable", "the host cannot be reached", "Check the network and the address."},
    {Errc::connect_timeout, "connect_timeout", "the address did not answer in time",
     "A firewall may drop the packets, or the host is down."},
    {Errc::no_answer, "no_answer", "something listens there but gave no answer to the handshake",
     "Either the ticket's key is not the key of the program there, or its network differs, or it is another version or "
     "another kind of program, or it is overloaded, or your address may not connect, or has too many connections "
     "there. From here these look alike; its log tells all but key, network and version apart."},
    {Errc::handshake_timeout, "handshake_timeout", "the handshake was not finished in time",
     "The peer proved its key but did not accept or refuse in time; its decision callback may be blocked."},
    {Errc::handshake, "handshake", "the handshake failed",
     "What answered could not prove the key of the ticket; something may be altering the traffic."},
    {Errc::not_allowed, "not_allowed", "the peer does not allow this key",
     "Ask its owner to add this program's peer id to the allow-list, or to the rules of the topic."},
    {Errc::rejected, "rejected", "the peer's application refused the connection",
     "Its code and text say why, where it gave any; else ask its owner."},
    {Errc::self, "self", "the ticket carries this node's own key",
     "Connect to another peer, or give each its own key."},
    {Errc::ws_upgrade, "ws_upgrade", "no WebSocket came about there",
     "Check host, port and path of the ws:// or wss:// address, and whether a proxy in between lets WebSockets "
     "through; the "
     "detail says what came instead, or that nothing came in time."},
    {Errc::ws_refused, "ws_refused", "the web server there refused the WebSocket",
     "The detail has its HTTP status: 404 is another path, 401 and 403 are its decision about this program's origin, "
     "cookies "
     "or headers, 503 is too busy."},
    {Errc::ws_protocol, "ws_protocol", "the peer broke the WebSocket protocol",
     "Only binary messages belong there; the detail says what came. One of the two has a bug or is hostile, or a proxy "
     "in "
     "between alters the frames."},
    {Errc::peer_lost, "peer_lost", "the connection to the peer broke",
     "The process ended, was killed, or the network between failed. Connect again."},
    {Errc::truncated, "truncated", "the bytes ended without a close",
     "The peer was killed, or something in between cut the connection. Connect again; what was not acknowledged may "
     "have "
     "arrived or not, so ask the peer before sending it again."},
    {Errc::peer_closed, "peer_closed", "the peer closed the session",
     "Its code and text say why, where it gave any; else it was done, or was stopped."},
    {Errc::replaced, "replaced", "another session with the same peer stands in place of this one",
     "Where it is this node's own, go on with that: the event or object names it. Else another process has connected "
     "with this "
     "program's key: give each process a key of its own, and do not connect again by itself, or the two replace each "
     "other for "
     "ever."},
    {Errc::protocol, "protocol", "the peer broke the protocol", "One of the two has a bug or is hostile; report it."},
    {Errc::flow, "flow", "the peer sent more than it was granted", "It has a bug or is hostile; report it."},
    {Errc::limit, "limit", "a limit was reached",
     "The detail names it. Of a connect: the peer has as many connections as it takes, in all or from here; close "
     "some, or try "
     "later. Of a topic: the peer lets each join no more than its topics_per_peer. Of a session: it is the protocol's "
     "own, "
     "and no option raises it; connect again."},
    {Errc::record, "record", "a record failed authentication",
     "Bytes were altered, repeated or lost between the two ends; connect again."},
    {Errc::silent, "silent", "nothing came from the peer for too long",
     "Its process hangs or was stopped, or the network between swallows everything. heartbeat_ms says how long is too "
     "long."},
    {Errc::lease, "lease", "the session could not be resumed",
     "Its connection stayed broken for longer than lease_ms, or the peer was started anew. Connect again, and ask the "
     "peer "
     "about what is reported as outcome_unknown."},
    {Errc::slow, "slow", "a subscriber did not keep up with what was published to it",
     "Its topic ends the session of who is slow. Take messages faster, or let the publisher drop some (slow of its "
     "topic's options) or wait."},
    {Errc::timeout, "timeout", "the deadline passed", "Give it more time, or find out what blocks the peer's handler."},
    {Errc::cancelled, "cancelled", "cancelled", "One of the two ends cancelled it."},
    {Errc::too_big, "too_big", "the message is larger than the receiver takes",
     "Raise max_message_bytes in the options of the receiver's node, send it in smaller pieces, or send it as a stream "
     "or "
     "file part, which may have any size."},
    {Errc::no_route, "no_route", "the peer has no handler for this route",
     "Check the route's spelling, or register a handler at the peer."},
    {Errc::unsupported, "unsupported", "the peer cannot do this",
     "The peer is an older version, which is to be updated; or it is connected by the channel shs1, which carries one "
     "stream each way and nothing else."},
    {Errc::not_sent, "not_sent", "the message was not sent", "It surely did not reach the peer; it can be sent again."},
    {Errc::outcome_unknown, "outcome_unknown", "the connection ended before the outcome was known",
     "The peer may or may not have handled it; ask the peer before sending it again."},
    {Errc::handler_failed, "handler_failed", "the peer's handler failed", "The peer's log has the reason."},
    {Errc::closing, "closing", "the peer is closing", "It takes no new exchanges; connect to it again later."},
    {Errc::status, "status", "the peer answered with a status of its own",
     "The status code and text are the application's."},
    {Errc::tls_config, "tls_config", "the certificate, key, CA or revocation list given here cannot be used",
     "The detail says which and why. They are PEM texts or files; the key has no passphrase and is that of the first "
     "certificate."},
    {Errc::tls_handshake, "tls_handshake", "the TLS handshake failed",
     "The detail says how, or that no end of it came in time. A listener on tcp:// in place of tls:// closes without a "
     "word; something between the two "
     "may also be cutting TLS off."},
    {Errc::tls_plain, "tls_plain", "the other end does not speak TLS",
     "One side uses tls:// and the other does not: use the same scheme at both, and the port of that."},
    {Errc::tls_version, "tls_version", "the two ends have no TLS version or cipher suite in common",
     "TLS 1.3 and 1.2 are spoken here, with ChaCha20-Poly1305 or AES-GCM: update the other end, or lower the minimum "
     "version."},
    {Errc::tls_expired, "tls_expired", "the certificate has expired",
     "Its owner has to renew it, and to reload it where it is used. If it should be valid, check this machine's "
     "clock."},
    {Errc::tls_not_yet, "tls_not_yet", "the certificate is not valid yet",
     "Check this machine's clock; else its owner has to wait or to get another."},
    {Errc::tls_host, "tls_host", "the certificate is for another host",
     "Connect by a name that it is for (the detail lists them), give that name as the server name to expect, or get "
     "one for this host."},
    {Errc::tls_address, "tls_address", "the certificate is not for this IP address",
     "Connect by a host name, give that name as the server name to expect, or add the address to the certificate as "
     "subjectAltName."},
    {Errc::tls_self_signed, "tls_self_signed", "the certificate is signed by itself and not trusted",
     "If it is the one you mean, give it as the CA; else something may stand between the two ends."},
    {Errc::tls_unknown_ca, "tls_unknown_ca", "no trusted CA has signed the certificate",
     "Give the CA that signed it, or install it in the system. The server may also have left out the certificates "
     "between."},
    {Errc::tls_not_ca, "tls_not_ca", "the certificate was signed by one that is no CA",
     "The certificate between has CA:false: its owner must not sign with it. Get one from a CA."},
    {Errc::tls_usage, "tls_usage", "the certificate is for another use",
     "Its keyUsage or extendedKeyUsage does not allow this: a server's says serverAuth, a client's clientAuth."},
    {Errc::tls_weak, "tls_weak", "the certificate's key or signature is too weak",
     "RSA has at least 2,048 bits and signatures at least SHA-256: get a new certificate."},
    {Errc::tls_revoked, "tls_revoked", "the certificate has been revoked",
     "Its CA has withdrawn it, perhaps as its key was stolen: get a new one."},
    {Errc::tls_client_certificate, "tls_client_certificate", "the listener wants a client certificate",
     "Give a certificate and its key to the side that connects, signed by the CA that the listener names."},
    {Errc::tls_refused, "tls_refused", "the other end does not accept this side's certificate",
     "The detail has its alert, its own log the reason: another CA, expired, or not for this use or name."},
});

constexpr const ErrcInfo& system_entry() {
    return *std::find_if(kTable.begin(), kTable.end(), [](const ErrcInfo& e) { return e.code == Errc::system; });
}

}  // namespace

const ErrcInfo& describe(Errc code) {
    for (const ErrcInfo& entry : kTable) {
        if (entry.code == code) return entry;
    }
    return system_entry();
}

ErrcTable all_errcs() { return {kTable.data(), kTable.data() + kTable.size()}; }

}  // namespace sealwire
