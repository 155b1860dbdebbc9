// Drafts: route, type and metadata of messages that are sent again and again, checked and encoded once.
#include "draft.h"

#include <memory>

#include "node/node.h"
#include "node/routes.h"

using namespace sealwire;
using namespace sealwire::capi;

sw_result sealwire::capi::read_metadata(const sw_pair* metadata, size_t count, size_t taken,
                                        std::vector<TextPair>& out) {
    static constexpr std::string_view kRule = "metadata is UTF-8, names of 1 to 255 bytes, at most 4096 bytes in all";
    if (count > 0 && !metadata) return bad("metadata is null");
    if (count > kMaxMetadata / 3) return bad(kRule);  // the shortest pair has 3 bytes
    out.resize(count);
    for (size_t i = 0; i < count; ++i) {
        if (!valid(metadata[i].name) || !valid(metadata[i].value)) return bad(kRule);
        out[i] = {view(metadata[i].name), view(metadata[i].value)};
    }
    return valid_metadata(out, taken) ? SW_OK : bad(kRule);
}

sw_result sw_draft_create(sw_node node, sw_text route, const sw_draft_options* given, sw_draft** out) {
    return guarded([&] {
        if (!out) return bad("out is null");
        sw_draft_options options;
        if (!read_options(given, options)) return bad(kSizeRule);
        if (!valid(route) || !is_route_name(view(route))) return bad(kRouteRule);
        auto draft = std::make_unique<sw_draft>();
        if (const sw_result r = read_type(options.type, draft->type); r != SW_OK) return r;
        std::vector<TextPair> pairs;
        if (const sw_result r = read_metadata(options.metadata, options.metadata_count, 0, pairs); r != SW_OK) return r;
        draft->block = write_message_tlvs({}, {}, pairs);
        if (draft->block) {
            MessageTlvs written;
            read_message_tlvs({draft->block->data(), draft->block->capacity()}, written);
            draft->metadata = written.metadata;
        }
        Errc errc = Errc::ok;
        const std::shared_ptr<Node> self = Node::find(node.value, errc);
        if (!self) return failed(errc);
        if (self->closing()) return failed(Errc::closed);
        const auto number = self->routes().intern(view(route));
        if (!number) return failed(number.error());
        draft->node = self->handle();
        draft->route = *number;
        *out = draft.release();
        return SW_OK;
    });
}

void sw_draft_free(sw_draft* draft) {
    guarded_void([&] { delete draft; });
}
