// For callgrind, of which topic_steps_test.py reads how many instructions 40 joins, leaves or messages take: topic_steps join|leave|publish
// TOPICS, where so many others are joined by this program and by its peers.
#include <valgrind/callgrind.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "protocol/topic_program.h"

namespace {

using namespace sealwire;
using namespace sealwire::test;

constexpr int kPeers = 3;
constexpr int kTimes = 40;
constexpr uint64_t kTopics = 1 << 20;

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    const std::string what = argv[1];
    const int others = std::atoi(argv[2]);
    Limits limits;
    limits.topics = kTopics;
    TopicProgram program;
    std::vector<Hand*> peers;
    for (int i = 0; i < kPeers; ++i) peers.push_back(&program.session(limits, kTopics));
    uint64_t alias = 0;
    const auto join = [&](const std::string& name) -> TopicHandle& {
        TopicHandle& handle = program.join(name);
        for (Hand* peer : peers) peer->send(Frame{.kind = FrameKind::joined, .id = alias});
        ++alias;
        program.serve();
        for (Hand* peer : peers) peer->heard.clear();
        program.events.clear();
        return handle;
    };
    TopicHandle& published = join("published");
    for (Hand* peer : peers) program.peer_joins(*peer, "published", 100 << 20);
    for (int i = 0; i < others; ++i) {
        const std::string name = "other " + std::to_string(i);
        join(name);
        for (Hand* peer : peers) program.peer_joins(*peer, name, 100 << 20);
    }
    std::vector<TopicHandle*> more;
    for (int i = 0; i < kTimes && what == "leave"; ++i) more.push_back(&join("more " + std::to_string(i)));
    std::vector<std::string> names;
    for (int i = 0; i < kTimes; ++i) names.push_back("name " + std::to_string(i));

    size_t done = 0;
    CALLGRIND_TOGGLE_COLLECT;
    for (size_t i = 0; i < kTimes; ++i) {
        if (what == "join") done += join(names[i]).joined;
        else if (what == "publish") done += program.publish(published, "news") == Errc::ok;
        else if (what == "leave") done += program.topics.leave(*more[i]) == Errc::ok, program.serve();
    }
    CALLGRIND_TOGGLE_COLLECT;
    if (what == "publish") {
        for (const Hand* peer : peers) done = std::min(done, peer->count(FrameKind::publish));
    }
    std::printf("%zu\n", done);
    return done == kTimes ? 0 : 1;
}
