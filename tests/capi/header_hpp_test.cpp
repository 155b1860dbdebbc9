// sealwire.hpp compiles alone as C++17, and its types have the ownership that it promises.
#include "sealwire/sealwire.hpp"
// twice: the guard holds
#include "sealwire/sealwire.hpp"

#include <type_traits>

#include "support/tap.h"

namespace {

template <typename T>
constexpr bool kMoveOnly = std::is_nothrow_move_constructible<T>::value && !std::is_copy_constructible<T>::value;
template <typename T>
constexpr bool kValue = std::is_trivially_copyable<T>::value;

}  // namespace

int main() {
    tap_ok(kMoveOnly<sealwire::node> && kMoveOnly<sealwire::listener>, "nodes and listeners can be moved, not copied");
    tap_ok(kMoveOnly<sealwire::message> && kMoveOnly<sealwire::retained> && kMoveOnly<sealwire::draft>,
           "so can messages, retained events and drafts");
    tap_ok(kValue<sealwire::peer> && kValue<sealwire::exchange> && kValue<sealwire::peer_id> && kValue<sealwire::topic>,
           "peers, exchanges, ids, joins are values");
    tap_ok(std::is_base_of<std::runtime_error, sealwire::error>::value, "sealwire::error is a std::runtime_error");
    return tap_done();
}
