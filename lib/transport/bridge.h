// Bridges: pipes that stay on their loop while their owner goes on on another.
#pragma once

#include <memory>

#include "io/loop.h"
#include "transport/pipe.h"

namespace sealwire {

// As Pipe::leave_loop, for every pipe that was started with `relay`: one that is bound to its loop stays there, and `pipe` and
// `relay` become another's that carries its bytes, bounded in both directions; enter_loop is to follow. What is written and
// not with the system yet when that one goes is still written, for kBridgeLinger at most. `loop`: the pipe's, which outlives
// what it has become. Throws std::bad_alloc, with nothing changed.
void leave_loop(Loop& loop, std::unique_ptr<PipeRelay>& relay, std::unique_ptr<Pipe>& pipe);
inline constexpr Time kBridgeLinger = kSecond;

// Ends what lingers. By the loop's owner, once its thread has ended, or on it.
void drop_bridges(Loop& loop);

}  // namespace sealwire
