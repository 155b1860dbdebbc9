// A WebSocket as a pipe of bytes: binary messages whose borders mean nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "io/loop.h"
#include "transport/pipe.h"
#include "transport/ws_line.h"

namespace sealwire {

// What becomes of making one: exactly one call, in a later turn.
using WsPipeReady = std::function<void(Result<std::unique_ptr<Pipe>>)>;

// One that is being made. Destroying it (from its callback too) cancels: no callback any more.
class WsOpening {
public:
    virtual ~WsOpening() = default;
};

// The names that the pipe tells.
struct WsNames {
    std::string remote;
    std::string local;
};

// `socket` is taken. `request` as for WsLine::adopt.
std::unique_ptr<WsOpening> adopt_ws_pipe(Loop& loop, WsSocket socket, std::string request, WsNames names,
                                         WsPipeReady ready);
std::unique_ptr<WsOpening> connect_ws_pipe(Loop& loop, WsSocket socket, WsUpgrade upgrade, WsNames names,
                                           WsPipeReady ready);

}  // namespace sealwire
