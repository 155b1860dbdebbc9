// NodeBox: one sw_node in queue mode behind a JavaScript object; all of it belongs to the environment's thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "addon.h"

namespace sealwire_node {

// Shared with lib/table.ts: the places of a row's numbers, all 32 bits wide.
inline constexpr uint32_t kEventRow = 12;
inline constexpr uint32_t kCommandRow = 10;
inline constexpr uint32_t kMaxEvents = 256;         // fetched in one turn
inline constexpr uint32_t kMaxCommands = 1024;      // of one batch
inline constexpr uint32_t kTextBytes = 256 * 1024;  // routes and bodies of one batch
inline constexpr uint32_t kHeldRoute = 1u << 30;    // in a route's number: its messages are kept until they are taken
inline constexpr uint32_t kSealedTopic = 1u << 30;  // in a topic's number: it has a secret
inline constexpr size_t kOwnBuffer = 16 * 1024;  // a body from here on gets a buffer of its own: views keep no others

// Memory that both halves write: rows of events, rows of commands, failed commands, and the bytes of commands.
struct SharedLayout {
    static constexpr size_t kEvents = 0;
    static constexpr size_t kCommands = kEvents + sizeof(int32_t) * kEventRow * kMaxEvents;
    static constexpr size_t kFailures = kCommands + sizeof(int32_t) * kCommandRow * kMaxCommands;
    static constexpr size_t kText = kFailures + sizeof(int32_t) * 2 * kMaxCommands;
    static constexpr size_t kSize = kText + kTextBytes;
};

// What a pipe or a listener is told by: its number.
inline void* user_of(uint32_t number) { return reinterpret_cast<void*>(static_cast<uintptr_t>(number)); }

class NodeBox final : public Napi::ObjectWrap<NodeBox> {
public:
    static Napi::Function define(Napi::Env env);
    explicit NodeBox(const Napi::CallbackInfo& info);
    ~NodeBox() override;

private:
    struct Peer {
        sw_peer handle;
        bool blocked;  // a command met SW_ERR_AGAIN: what follows has to wait too, until WRITABLE
    };

    // ---- node_box.cpp ----
    void open(Napi::Env env, const Napi::Object& options);
    static void on_wake(void* self);  // a loop thread
    static void on_environment_end(void* self);
    void end();  // no callback afterwards
    Napi::Value id(const Napi::CallbackInfo& info);
    Napi::Value shared(const Napi::CallbackInfo& info);
    Napi::Value intern(const Napi::CallbackInfo& info);
    void route(const Napi::CallbackInfo& info);
    void unroute(const Napi::CallbackInfo& info);
    void set_allowed(const Napi::CallbackInfo& info);
    void listen(const Napi::CallbackInfo& info);
    void close_listener(const Napi::CallbackInfo& info);
    void answer_http(const Napi::CallbackInfo& info);
    void set_addresses(const Napi::CallbackInfo& info);  // doors.cpp
    void set_tls(const Napi::CallbackInfo& info);
    Napi::Value connect(const Napi::CallbackInfo& info);
    void hello(const Napi::CallbackInfo& info);
    void accept(const Napi::CallbackInfo& info);
    void reject(const Napi::CallbackInfo& info);
    void move(const Napi::CallbackInfo& info);
    void ping(const Napi::CallbackInfo& info);
    void resume_peer(const Napi::CallbackInfo& info);
    void resume_route(const Napi::CallbackInfo& info);
    void close_peer(const Napi::CallbackInfo& info);
    void shutdown(const Napi::CallbackInfo& info);
    void terminate(const Napi::CallbackInfo& info);
    uint32_t new_slot();
    uint32_t slot_of(sw_peer peer, bool create);
    sw_peer peer_arg(const Napi::CallbackInfo& info) const;

    // ---- events.cpp ----
    Napi::Value poll(const Napi::CallbackInfo& info);
    void release_events();
    int32_t keep(size_t i);
    Napi::Value extra(Napi::Env env, const sw_event& event, int32_t* row);

    // ---- commands.cpp ----
    Napi::Value flush(const Napi::CallbackInfo& info);
    sw_result run(int32_t* row, sw_bytes external);
    template <class Options>
    bool set_head(const int32_t* row, Options& options) const;
    sw_result run_send(int32_t* row, Peer& peer, sw_text route, sw_bytes body);
    sw_result run_request(int32_t* row, Peer& peer, sw_text route, sw_bytes body);
    sw_result take(uint32_t place);
    void hold(Napi::Env env, bool wanted);

    // ---- parts.cpp ----
    Napi::Value open_parts(const Napi::CallbackInfo& info);
    Napi::Value reply(const Napi::CallbackInfo& info);
    Napi::Value status(const Napi::CallbackInfo& info);
    Napi::Value part_write(const Napi::CallbackInfo& info);
    Napi::Value part_read(const Napi::CallbackInfo& info);
    Napi::Value part_cancel(const Napi::CallbackInfo& info);
    Napi::Value part_save(const Napi::CallbackInfo& info);
    sw_exchange exchange_arg(const Napi::CallbackInfo& info) const;

    // ---- talk.cpp ----
    Napi::Value ask(const Napi::CallbackInfo& info);
    Napi::Value answer(const Napi::CallbackInfo& info);
    Napi::Value question_status(const Napi::CallbackInfo& info);
    Napi::Value set_deadlines(const Napi::CallbackInfo& info);
    Napi::Value uuid(const Napi::CallbackInfo& info);
    Napi::Value running(const Napi::CallbackInfo& info);
    Napi::Value draft(const Napi::CallbackInfo& info);
    void free_draft(const Napi::CallbackInfo& info);
    const sw_draft* draft_at(uint32_t place) const { return place < drafts_.size() ? drafts_[place] : nullptr; }
    sw_exchange talk_arg(const Napi::CallbackInfo& info) const;

    // ---- pipes.cpp ----
    Napi::Value connect_pipe(const Napi::CallbackInfo& info);
    void accept_pipe(const Napi::CallbackInfo& info);
    Napi::Value pipe_give(const Napi::CallbackInfo& info);
    Napi::Value pipe_take(const Napi::CallbackInfo& info);
    Napi::Value pipe_end(const Napi::CallbackInfo& info);
    Napi::Value pipe_fail(const Napi::CallbackInfo& info);
    void add_pipe(uint32_t number, sw_pipe pipe);
    void forget_pipe(sw_pipe pipe);
    sw_pipe pipe_arg(const Napi::CallbackInfo& info) const;

    // ---- topics.cpp ----
    void join_topic(const Napi::CallbackInfo& info);
    Napi::Value leave_topic(const Napi::CallbackInfo& info);
    void leave_topics(const Napi::CallbackInfo& info);
    void set_topic_rules(const Napi::CallbackInfo& info);
    void decide_topic(const Napi::CallbackInfo& info);
    Napi::Value publish(const Napi::CallbackInfo& info);
    Napi::Value topic_members(const Napi::CallbackInfo& info);
    Napi::Value topic_extra(Napi::Env env, const sw_event& event);
    Napi::Value topic_signer(Napi::Env env, const sw_event& event);
    sw_topic topic_arg(const Napi::CallbackInfo& info) const;

    // ---- broadcast.cpp ----
    Napi::Value find_peer(const Napi::CallbackInfo& info);
    Napi::Value broadcast(const Napi::CallbackInfo& info);

    // ---- stats.cpp ----
    Napi::Value stats(const Napi::CallbackInfo& info);
    Napi::Value peer_stats(const Napi::CallbackInfo& info);

    int32_t* ints(size_t offset) { return reinterpret_cast<int32_t*>(memory_ + offset); }

    sw_node node_{};
    napi_env env_ = nullptr;
    napi_threadsafe_function wake_ = nullptr;
    bool held_ = false;  // wake_ keeps the process alive
    uint8_t* memory_ = nullptr;
    Napi::ObjectReference memory_owner_;

    std::array<const sw_event*, kMaxEvents> events_{};  // fetched and not yet released
    size_t event_count_ = 0;
    std::vector<const sw_event*> kept_;  // replies and messages that are not taken yet
    std::vector<uint32_t> free_kept_;

    std::vector<Peer> peers_;
    std::vector<uint32_t> free_slots_;
    std::vector<uint32_t> ended_slots_;  // of peers whose last event is in events_
    std::unordered_map<uint64_t, uint32_t> slots_;
    uint64_t last_peer_ = 0;
    uint32_t last_slot_ = 0;

    std::vector<sw_exchange> requests_;  // by the number that lib/ gave the request; own ones
    std::unordered_map<uint32_t, sw_listener> listeners_;
    std::unordered_map<uint32_t, sw_pipe> pipes_;  // by the number that lib/ gave them
    std::unordered_map<uint64_t, uint32_t> pipe_numbers_;
    std::vector<uint8_t> pipe_room_;
    std::unordered_map<uint32_t, sw_topic> topics_;  // by the number that lib/ gave them
    std::vector<sw_draft*> drafts_;                  // by the number that lib/ knows them by; null where that is free
    std::vector<uint32_t> free_drafts_;
};

}  // namespace sealwire_node
