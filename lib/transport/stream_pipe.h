// A pipe over a connected stream socket of any family.
#pragma once

#include <memory>
#include <string>

#include "transport/pipe.h"

namespace sealwire {

class Loop;

// Takes the descriptor (non-blocking, close-on-exec), also when it fails.
Result<std::unique_ptr<Pipe>> make_stream_pipe(Loop& loop, int socket, std::string remote_address);

}  // namespace sealwire
