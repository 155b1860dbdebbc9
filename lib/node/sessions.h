// Sessions: one session with each peer, unless several are wanted: which dial waits, which newcomer is late, and who gives way.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "crypto/identity.h"
#include "protocol/connection.h"

namespace sealwire {

class Peer;

// Of one node (PROTOCOL.md, "One session with each peer"). A peer is the holder of a key: P and -P are one. It keeps the
// addresses of its Peers, asks none for more than the id of its session, and acts on none: what is to happen to others is what it
// returns. Loop thread.
class Sessions {
public:
    // several: none of this holds, and every dial and newcomer is as good as any.
    Sessions(const PeerId& self, bool several) : self_(self), several_(several) {}

    // go: it may dial. wait: another dial to the same address is under way; it is among those that over() sets free, which is
    // its turn from then on, or gives way. stands: there is a session already.
    enum class Dial : uint8_t { go, wait, stands };
    Dial begin(Peer& dial, const PeerId& id, std::string_view address);
    // Whether no other HELLO to that peer is unanswered. Of two the peer could take both, and end the session of the first with what
    // was sent over it.
    bool may_say_hello(const Peer& dial, const PeerId& id);
    // It waits for that: over() and closes() set it free, unless it has said its HELLO before.
    void holds_hello(const Peer& dial, const PeerId& id);
    // Another has said its HELLO since: the wait begins anew.
    bool overtaken(const Peer& dial, const PeerId& id);
    // Its HELLO is out: from now on the two ends settle by their ids whose dial stands.
    void said_hello(const Peer& dial, const PeerId& id);

    // A peer that was dialled by another has proved its key, and again when it is to be let in. wait: a dial of this node to it is
    // to be answered first, as this node's id is the lower one; over() sets it free. stale: it is from the time before the
    // session that stands.
    enum class Newcomer : uint8_t { welcome, wait, stale };
    Newcomer arrives(Peer& newcomer, const PeerId& id, const Instance& from);

    // It is connected: the session with that peer, from now on. What goes for it:
    struct Change {
        Peer* replaced = nullptr;  // the session before it
        Peer* overdue = nullptr;   // one that was closing when that was closed already
        std::vector<Peer*> late;   // dials of this node, and newcomers of the same time
        std::vector<Peer*> freed;  // newcomers that have waited and are not late: they ask again
    };
    Change up(Peer& peer, const PeerId& id, const Instance& from);
    // Another channel carries it now.
    void resumed(const PeerId& id, const Instance& from);
    // The session with that peer and of that id, which may have lost its channel; null: there is none.
    Peer* find(const PeerId& id, const SessionId& session);
    // The peer is closing its session: a dial does not find it any more, and a newer one lets it end, but not two of them.
    void ending(const Peer& peer, const PeerId& id);
    // This side is closing it: it stands in nobody's way any more, but goes on if its peer asks for it. Who asks again now.
    std::vector<Peer*> closes(Peer& peer, const PeerId& id);
    // It is over. Who asks again now, because it has waited for this one. For any peer, any number
    // of times.
    std::vector<Peer*> over(const Peer& peer, const PeerId& id);

    // The session with that peer; null: none, or it is ending.
    Peer* standing(const PeerId& id);
    bool several() const { return several_; }
    size_t size() const { return pairs_.size(); }

private:
    struct OwnDial {
        Peer* peer;
        std::string address;
        bool waits;
        bool holds_hello = false;
        bool said_hello = false;
        uint64_t hellos_before = 0;  // Pair::hellos, when it began to hold its own
    };
    struct Arrived {
        Peer* peer;
        Instance from;
        bool waits = false;
    };
    struct Pair {
        Peer* session = nullptr;
        bool ending = false;
        Peer* drains = nullptr;  // the session before it, which was ending when it came
        Instance from;           // the other end of the session, with the most dials that it has told
        std::vector<OwnDial> dials;
        uint64_t hellos = 0;  // of dials
        std::vector<Arrived> newcomers;
        std::vector<Peer*> others;   // sessions beside the newest, where several are wanted
        std::vector<Peer*> closing;  // by this side

        bool is_late(const Instance& other) const;
        bool empty() const {
            return !session && !drains && dials.empty() && newcomers.empty() && others.empty() && closing.empty();
        }
    };
    Pair* find(const PeerId& id);
    static OwnDial* find_dial(Pair* pair, const Peer& dial);
    static void free_held(Pair& pair, std::vector<Peer*>& freed);

    const PeerId self_;
    const bool several_;
    std::unordered_map<PeerId, Pair> pairs_;  // by id without its sign
};

}  // namespace sealwire
