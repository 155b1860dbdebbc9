// The registry of a node's sessions and of what is on its way to become one.
#include "node/sessions.h"

#include <algorithm>
#include <utility>

#include "node/peer.h"

namespace sealwire {

namespace {

// Its entry among dials or newcomers; the end: it has none.
template <class List>
auto entry_of(List& list, const Peer& peer) {
    return std::find_if(list.begin(), list.end(), [&](const auto& one) { return one.peer == &peer; });
}

}  // namespace

bool Sessions::Pair::is_late(const Instance& other) const {
    return session && other.known() && other.id == from.id && other.dials <= from.dials;
}

Sessions::Pair* Sessions::find(const PeerId& id) {
    const auto found = pairs_.find(id.without_sign());
    return found == pairs_.end() ? nullptr : &found->second;
}

Peer* Sessions::standing(const PeerId& id) {
    const Pair* const pair = find(id);
    return pair && !pair->ending ? pair->session : nullptr;
}

Sessions::Dial Sessions::begin(Peer& dial, const PeerId& id, std::string_view address) {
    if (several_) return Dial::go;
    Pair& pair = pairs_[id.without_sign()];
    if (pair.session && !pair.ending) return Dial::stands;
    const auto mine = entry_of(pair.dials, dial);
    const bool busy = std::any_of(pair.dials.begin(), pair.dials.end(), [&](const OwnDial& other) {
        return other.peer != &dial && !other.waits && other.address == address;
    });
    if (mine == pair.dials.end()) pair.dials.push_back({&dial, std::string(address), busy});
    else mine->waits = busy;
    return busy ? Dial::wait : Dial::go;
}

Sessions::OwnDial* Sessions::find_dial(Pair* pair, const Peer& dial) {
    if (!pair) return nullptr;
    const auto own = entry_of(pair->dials, dial);
    return own == pair->dials.end() ? nullptr : &*own;
}

bool Sessions::may_say_hello(const Peer& dial, const PeerId& id) {
    const Pair* const pair = several_ ? nullptr : find(id);
    return !pair || std::none_of(pair->dials.begin(), pair->dials.end(),
                                 [&](const OwnDial& other) { return other.peer != &dial && other.said_hello; });
}

void Sessions::holds_hello(const Peer& dial, const PeerId& id) {
    Pair* const pair = find(id);
    OwnDial* const own = find_dial(pair, dial);
    if (!own) return;
    own->holds_hello = true;
    own->hellos_before = pair->hellos;
}

bool Sessions::overtaken(const Peer& dial, const PeerId& id) {
    Pair* const pair = find(id);
    const OwnDial* const own = find_dial(pair, dial);
    return own && own->holds_hello && own->hellos_before != pair->hellos;
}

void Sessions::said_hello(const Peer& dial, const PeerId& id) {
    Pair* const pair = find(id);
    OwnDial* const own = find_dial(pair, dial);
    if (!own) return;
    own->holds_hello = false;
    own->said_hello = true;
    ++pair->hellos;
}

Sessions::Newcomer Sessions::arrives(Peer& newcomer, const PeerId& id, const Instance& from) {
    if (several_) return Newcomer::welcome;
    Pair& pair = pairs_[id.without_sign()];
    if (pair.is_late(from)) return Newcomer::stale;
    const bool lower = compare_holders(self_, id) == std::strong_ordering::less;
    const bool waits =
        lower && std::any_of(pair.dials.begin(), pair.dials.end(), [](const OwnDial& own) { return own.said_hello; });
    const auto mine = entry_of(pair.newcomers, newcomer);
    if (mine == pair.newcomers.end()) pair.newcomers.push_back({&newcomer, from, waits});
    else mine->waits = waits;
    return waits ? Newcomer::wait : Newcomer::welcome;
}

Sessions::Change Sessions::up(Peer& peer, const PeerId& id, const Instance& from) {
    Pair& pair = pairs_[id.without_sign()];
    std::erase_if(pair.dials, [&](const OwnDial& own) { return own.peer == &peer; });
    std::erase_if(pair.newcomers, [&](const Arrived& one) { return one.peer == &peer; });
    Change change;
    if (!several_ && pair.session && pair.ending) {
        change.overdue = std::exchange(pair.drains, pair.session);
    } else if (!several_) {
        change.replaced = pair.session;
    } else if (pair.session) {
        pair.others.push_back(pair.session);
    }
    const bool same = from.id == pair.from.id;
    pair.from = {from.id, same ? std::max(from.dials, pair.from.dials) : from.dials};
    pair.session = &peer;
    pair.ending = false;
    for (const OwnDial& own : pair.dials) change.late.push_back(own.peer);
    for (Arrived& one : pair.newcomers) {
        if (pair.is_late(one.from)) change.late.push_back(one.peer);
        else if (std::exchange(one.waits, false)) change.freed.push_back(one.peer);
    }
    return change;
}

void Sessions::resumed(const PeerId& id, const Instance& from) {
    Pair* const pair = find(id);
    if (pair && pair->from.id == from.id) pair->from.dials = std::max(pair->from.dials, from.dials);
}

Peer* Sessions::find(const PeerId& id, const SessionId& session) {
    Pair* const pair = find(id);
    if (!pair) return nullptr;
    const auto is = [&](Peer* peer) { return peer && peer->session_id() == session; };
    if (is(pair->session)) return pair->session;
    if (is(pair->drains)) return pair->drains;
    for (const std::vector<Peer*>* list : {&pair->others, &pair->closing}) {
        const auto other = std::find_if(list->begin(), list->end(), is);
        if (other != list->end()) return *other;
    }
    return nullptr;
}

void Sessions::ending(const Peer& peer, const PeerId& id) {
    Pair* pair = find(id);
    if (pair && pair->session == &peer) pair->ending = true;
}

// The next that holds its HELLO, when none is unanswered any more.
void Sessions::free_held(Pair& pair, std::vector<Peer*>& freed) {
    if (std::any_of(pair.dials.begin(), pair.dials.end(), [](const OwnDial& one) { return one.said_hello; })) return;
    const auto next =
        std::find_if(pair.dials.begin(), pair.dials.end(), [](const OwnDial& one) { return one.holds_hello; });
    if (next == pair.dials.end()) return;
    freed.push_back(next->peer);
    next->holds_hello = false;
    next->said_hello = true;  // which it is about to
}

std::vector<Peer*> Sessions::over(const Peer& peer, const PeerId& id) {
    std::vector<Peer*> freed;
    Pair* const pair = find(id);
    if (!pair) return freed;
    if (pair->session == &peer) {
        pair->session = nullptr;
        pair->ending = false;
        if (!pair->others.empty()) {
            pair->session = pair->others.back();
            pair->others.pop_back();
        }
    }
    std::erase(pair->closing, &peer);
    if (pair->drains == &peer) pair->drains = nullptr;
    std::erase(pair->others, &peer);
    std::erase_if(pair->newcomers, [&](const Arrived& one) { return one.peer == &peer; });
    const auto own = entry_of(pair->dials, peer);
    if (own != pair->dials.end()) {
        const OwnDial gone = std::move(*own);
        pair->dials.erase(own);
        if (!gone.waits) {
            const auto next = std::find_if(pair->dials.begin(), pair->dials.end(),
                                           [&](auto& one) { return one.waits && one.address == gone.address; });
            if (next != pair->dials.end()) next->waits = false, freed.push_back(next->peer);
        }
        for (Arrived& one : pair->newcomers) {
            if (std::exchange(one.waits, false)) freed.push_back(one.peer);
        }
    }
    if (pair->newcomers.empty()) free_held(*pair, freed);  // what the peer has dialled is answered first
    if (pair->empty()) pairs_.erase(id.without_sign());
    return freed;
}

std::vector<Peer*> Sessions::closes(Peer& peer, const PeerId& id) {
    const Pair* const pair = find(id);
    const bool session = pair && (pair->session == &peer || pair->drains == &peer ||
                                  std::count(pair->others.begin(), pair->others.end(), &peer) > 0);
    std::vector<Peer*> freed = over(peer, id);
    if (session) pairs_[id.without_sign()].closing.push_back(&peer);
    return freed;
}

}  // namespace sealwire
