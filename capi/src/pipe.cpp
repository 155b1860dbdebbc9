// Pipes of the application: sessions over whatever carries bytes.
#include "node/piping.h"

#include <algorithm>

#include "edge.h"
#include "node/node.h"
#include "peer.h"

using namespace sealwire;
using namespace sealwire::capi;

namespace {

constexpr uint32_t kMostBuffer = 64u * 1024 * 1024;
constexpr size_t kMaxAddress = 255;

bool is_control(char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }

Result<PipingOptions> options_of_pipe(const sw_pipe_options* given) {
    sw_pipe_options options;
    if (!read_options(given, options)) return fail(Errc::argument, std::string(kSizeRule));
    if (options.buffer_bytes > kMostBuffer) return fail(Errc::argument, "buffer_bytes is above 64 MiB");
    const std::string_view address = view(options.address);
    if (!valid(options.address) || address.size() > kMaxAddress ||
        std::any_of(address.begin(), address.end(), is_control)) {
        return fail(Errc::argument, "address is no text of at most 255 bytes without control characters");
    }
    auto network = shs_network_of(options.channel, options.shs_network);
    if (!network) return Unexpected{std::move(network).error()};
    PipingOptions out;
    out.shs = std::move(*network);
    if (!address.empty()) out.address = address;
    if (options.buffer_bytes > 0) out.buffer_bytes = options.buffer_bytes;
    out.user = options.user;
    out.listener = options.listener.value;
    return out;
}

}  // namespace

sw_result sw_node_connect_pipe(sw_node node, const sw_peer_id* id, const sw_pipe_options* pipe_options,
                               const sw_connect_options* options, sw_pipe* pipe, sw_peer* peer) {
    return guarded([&] {
        if (!id || !pipe || !peer) return bad("id, pipe or peer is null");
        const auto piping = options_of_pipe(pipe_options);
        if (!piping) return failed(piping.error());
        if (piping->listener != 0) return bad("a listener is for pipes that are accepted");
        if (piping->shs) return bad("the channel of a pipe that is dialled stands in the options of connecting");
        const auto dial = dial_options_of(options);
        if (!dial) return failed(dial.error());
        Errc errc = Errc::ok;
        const std::shared_ptr<Node> self = Node::find(node.value, errc);
        if (!self) return failed(errc);
        return result_of(self->connect_pipe(id_of(*id), *piping, *dial, &pipe->value, &peer->value));
    });
}

sw_result sw_node_accept_pipe(sw_node node, const sw_pipe_options* options, sw_pipe* pipe) {
    return guarded([&] {
        if (!pipe) return bad("pipe is null");
        const auto piping = options_of_pipe(options);
        if (!piping) return failed(piping.error());
        if (piping->listener != 0 && piping->shs)
            return bad("the channel of a pipe with a listener is that of the listener");
        Errc errc = Errc::ok;
        const std::shared_ptr<Node> self = Node::find(node.value, errc);
        if (!self) return failed(errc);
        return result_of(self->accept_pipe(*piping, &pipe->value));
    });
}

sw_result sw_pipe_give(sw_pipe pipe, sw_bytes bytes) {
    return guarded([&] {
        if (!valid(bytes)) return bad("bytes are null or too large");
        const Errc errc = Piping::give(pipe.value, view(bytes));
        return errc == Errc::state ? failed(errc, "the other end was said to send no more") : result_of(errc);
    });
}

sw_result sw_pipe_take(sw_pipe pipe, void* into, size_t room, size_t* size) {
    return guarded([&] {
        if (!size || !valid(into, room)) return bad("size or into is null, or room too large");
        return result_of(Piping::take(pipe.value, {static_cast<uint8_t*>(into), room}, *size));
    });
}

sw_result sw_pipe_end(sw_pipe pipe) {
    return guarded([&] { return result_of(Piping::end(pipe.value)); });
}

sw_result sw_pipe_fail(sw_pipe pipe, sw_text text) {
    return guarded([&] {
        if (!valid(text) || text.size > kMaxReasonText) return bad("text is no text of at most 1024 bytes");
        return result_of(Piping::fail(pipe.value, view(text)));
    });
}
