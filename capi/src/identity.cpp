// Identities and peer ids.
#include "crypto/identity.h"

#include "edge.h"
#include "identity.h"
#include "node/random.h"

using namespace sealwire;
using namespace sealwire::capi;

namespace {

sw_result give(Identity identity, sw_identity** out) {
    *out = new sw_identity{std::make_shared<const Identity>(std::move(identity))};
    return SW_OK;
}

}  // namespace

sw_result sw_identity_generate(sw_identity** out) {
    return guarded([&] { return out ? give(new_identity(), out) : bad("out is null"); });
}

sw_result sw_identity_from_seed(sw_bytes seed, sw_identity** out) {
    return guarded([&] {
        if (!out) return bad("out is null");
        if (!valid(seed) || seed.size != SW_SEED_SIZE) return bad("a seed has 32 bytes");
        return give(Identity::from_seed(std::span<const uint8_t, 32>(view(seed))), out);
    });
}

sw_result sw_identity_load(sw_text path, sw_identity** out) {
    return guarded([&] {
        if (!out) return bad("out is null");
        if (!valid(path)) return bad("path is not a text");
        auto identity = Identity::load(std::string(view(path)));
        return identity ? give(std::move(*identity), out) : failed(identity.error());
    });
}

sw_result sw_identity_save(const sw_identity* identity, sw_text path) {
    return guarded([&] {
        if (!identity) return bad("identity is null");
        if (!valid(path)) return bad("path is not a text");
        return result_of(identity->identity->save(std::string(view(path))));
    });
}

sw_result sw_identity_seed(const sw_identity* identity, uint8_t out[SW_SEED_SIZE]) {
    return guarded([&] {
        if (!identity || !out) return bad("identity or out is null");
        copy_bytes(out, identity->identity->seed());
        return SW_OK;
    });
}

sw_result sw_identity_id(const sw_identity* identity, sw_peer_id* out) {
    return guarded([&] {
        if (!identity || !out) return bad("identity or out is null");
        put_id(identity->identity->id(), *out);
        return SW_OK;
    });
}

void sw_identity_free(sw_identity* identity) {
    guarded_void([&] { delete identity; });
}

sw_result sw_peer_id_parse(sw_text text, sw_peer_id* out) {
    return guarded([&] {
        if (!out) return bad("out is null");
        if (!valid(text)) return bad("text is not a text");
        const auto id = PeerId::parse(view(text));
        if (!id) return failed(id.error());
        put_id(*id, *out);
        return SW_OK;
    });
}

sw_result sw_peer_id_text(const sw_peer_id* id, char out[SW_PEER_ID_TEXT_SIZE]) {
    return guarded([&] {
        if (!id || !out) return bad("id or out is null");
        return put_text(id_of(*id).text(), out, SW_PEER_ID_TEXT_SIZE) ? SW_OK : bad("no room");
    });
}
