// A node among several peers, as `pub`, `sub` and `hub` have it: it dials those it is told of and takes who comes to --listen.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "options.h"
#include "redial.h"
#include "session.h"

namespace tool {

// --listen, --verbose, and what commands have that connect or listen.
std::vector<Option> with_meeting_options(std::vector<Option> own);
// The same, and --connect, --via and --secret-file.
std::vector<Option> with_topic_options(std::vector<Option> own);

// A name that topics can have; else a UsageError.
std::string checked_topic(const std::string& name);
// What --secret-file says, checked; empty when it is not given.
std::string topic_secret_of(const Arguments& arguments);

class Meeting {
public:
    enum class Part { publisher, subscriber, hub };
    // `on_closed` is told of each peer that ends. While run_until waits, peers are dialled again as Again says: a subscriber's of --connect
    // that were started anew, those of --via that have closed as well, and both for the time of --lease since their session was
    // lost; a hub's always.
    using ClosedFn = std::function<void(sealwire::peer, const sw_event_closed&)>;
    explicit Meeting(const Arguments& arguments, Part part, ClosedFn on_closed = nullptr);

    // Begins to dial all of --connect and --via, or of a hub those of --hub that are tickets.
    void dial(const Arguments& arguments);
    // The same; returns kDone when all are connected, or the exit code after saying why not.
    int connect(const Arguments& arguments);
    // Joins at all who are connected, and tells who comes and goes, as it does the handlers of `options`; others are set here. Returns
    // likewise, and before all have answered when `enough` says so.
    int join(const std::string& name, sealwire::topic_options options, sealwire::topic& out,
             uint32_t timeout_ms = SW_NEVER, const std::function<bool()>& enough = nullptr);
    // Returns likewise, when all of --listen are listened on. Behind join(), so that who knows the ticket finds this program there.
    int listen(const Arguments& arguments);

    // Ends all sessions, and the node, so that publishers count what this program has not got.
    void close();
    // Begins that, also in a handler.
    void hang_up(uint32_t deadline_ms);
    // Nobody is dialled again.
    void dial_no_more() { closing_ = true; }

    enum class Until { over, input, ended, interrupted, late };
    Until run_until(const std::function<bool()>& over, uint32_t timeout_ms = SW_NEVER, int input = -1);
    // Says why it is not over, and gives the exit code. `waited` and `hint` say what was late, and what to do about that.
    int explain(Until until, const std::string& waited = {}, std::string_view hint = {}) const;
    // Once all topics are joined: tells people of whom they have named by --connect, and who has joined none of them.
    void hint_at_hubs() const;
    // A peer of --via has turned out to be none.
    bool names_no_hub() const { return no_hub_.has_value(); }
    // Nobody was lost or not reached.
    bool ended_in_order() const { return !fatal_ && !no_hub_ && orderly_; }

    Session& session() { return session_; }
    const Session& session() const { return session_; }
    bool listens() const { return listens_; }
    const std::vector<sealwire::peer>& peers() const { return connected_; }
    // Nobody is left, and nobody can come.
    bool ended() const { return fatal_ || no_hub_ || (!listens_ && dialled_all_ && alive_ == 0); }
    // The node's last event has come; it was not in time.
    bool closed() const { return closed_; }
    bool late() const { return late_; }

private:
    sealwire::node_options handlers(const Arguments& arguments);
    void name_hubs(const Arguments& arguments, sealwire::node_options& options);
    void on_log(const sw_event_log& event) const;
    Again again_of(std::string_view option) const;
    bool is_connected(sealwire::peer peer) const;
    // It was dialled by one of dials_ that has ended before it: of that nothing is told.
    bool left(sealwire::peer peer) const;
    // It is or was connected.
    bool reached(sealwire::peer peer) const;
    void on_event(const sw_event& event);
    void on_link(sealwire::peer peer, sw_event_type type, const sw_event_link& event);
    // Of the one whose session or dial has ended: whether it is dialled again.
    bool redial(Dial& dial, const sw_event_closed& event);
    // Until then.
    Dial::Clock::time_point end_of(const Dial& dial) const;
    void dial_again(Dial& dial);
    // Of a dial that has failed, and is tried again: tells what may be wrong beyond that there is nobody.
    void note_dial(sealwire::peer peer, sw_result failed);
    void note_resumed(sealwire::peer peer);
    static void hears(Dial& dial);
    // Its peer is connected, by its dial or by that of another ticket.
    void found(Dial& dial, sealwire::peer peer);
    // The same when that is so; else false.
    bool find(Dial& dial);
    // One that is not dialled again, and in good order the other ways to its peer. Returns whether it is told, or is to be.
    bool dial_closed(Dial& dial, const sw_event_closed& event);
    void end(Dial& dial, Ending why, bool in_order);
    // Ends it without an event of its peer, and tells that with the last way to it.
    void give_up(Dial& dial, Ending why);
    // Ends one whose session was lost, with what it has dialled.
    void leave(Dial& dial, Ending why);
    // Dials those whose time has come; returns in how many ms the next is due, SW_NEVER: none is.
    uint32_t dial_due();
    void on_connected(sealwire::peer peer, const sw_event_connected& event);
    void on_closed(sealwire::peer peer, const sw_event_closed& event);
    void note_member(const sealwire::topic_member& member);
    void say(const char* what, const sealwire::peer_id& id, const std::string& text, bool loud) const;
    void say_refused(const std::string& topic, const sw_event_topic& about) const;
    void say_member(const char* what, const std::string& topic, const sealwire::topic_member& member) const;

    const Part part_;
    const bool json_, verbose_, listens_;
    const std::chrono::milliseconds lease_;  // for which it dials again; 0: not at all
    const DialOptions dial_options_;
    const ClosedFn told_closed_;
    std::vector<sealwire::listener> listeners_;
    std::vector<Dial> dials_;                // of --connect, --via or --hub
    std::vector<sealwire::peer> connected_;  // all who are
    std::vector<sealwire::peer> reached_;    // who are, and those of dials_ who were
    LostLinks lost_;
    size_t listening_ = 0, alive_ = 0;
    bool dial_waits_ = false;  // since dial_due
    bool dialled_all_ = false, orderly_ = true, closed_ = false, late_ = false, closing_ = false;
    std::optional<Ending> fatal_;        // one that was not reached, or a listener that failed
    std::optional<Ending> last_;         // of those of dials_: the first that was lost, or else the last
    std::optional<std::string> no_hub_;  // who is none, though --via names it
    Session session_;
};

}  // namespace tool
