// Limits of connections, shared by nodes and listeners.
#include "limits_handle.h"

#include "edge.h"

using namespace sealwire;
using namespace sealwire::capi;

namespace {

ConnectionLimits::Most most_of(const sw_limits_options& options) {
    const auto most = [](uint32_t given) { return given == 0 ? ConnectionLimits::kNone : given; };
    static_assert(SW_NEVER == ConnectionLimits::kNone);
    return {most(options.max_connections), most(options.max_per_address), most(options.max_per_subnet),
            most(options.max_per_key)};
}

}  // namespace

sw_result sw_limits_create(const sw_limits_options* given, sw_limits** out) {
    return guarded([&] {
        if (!out) return bad("out is null");
        sw_limits_options options;
        if (!read_options(given, options)) return bad(kSizeRule);
        auto limits = std::make_unique<sw_limits>();
        limits->limits = std::make_shared<ConnectionLimits>(most_of(options));
        *out = limits.release();
        return SW_OK;
    });
}

sw_result sw_limits_set(sw_limits* limits, const sw_limits_options* given) {
    return guarded([&] {
        if (!limits) return bad("limits is null");
        sw_limits_options options;
        if (!read_options(given, options)) return bad(kSizeRule);
        limits->limits->set(most_of(options));
        return SW_OK;
    });
}

void sw_limits_free(sw_limits* limits) {
    guarded_void([&] { delete limits; });
}

sw_result sw_limits_get_counts(const sw_limits* limits, sw_limits_counts* out) {
    return guarded([&] {
        if (!limits || !out || out->size < 8) return bad("limits or out is null, or its size is not set");
        const ConnectionLimits::Counts counts = limits->limits->counts();
        const sw_limits_counts whole = {out->size, 0, counts.connections, counts.refused_by_address,
                                        counts.refused_by_limit};
        std::memcpy(out, &whole, std::min<size_t>(out->size, sizeof whole) & ~size_t{7});
        return SW_OK;
    });
}
