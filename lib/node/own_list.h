// Lists of what a node owns, whose items know their places.
#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace sealwire {

template <class T>
void append(std::vector<std::unique_ptr<T>>& list, std::unique_ptr<T> item) {
    item->index = list.size();
    list.push_back(std::move(item));
}

template <class T>
std::unique_ptr<T> take_out(std::vector<std::unique_ptr<T>>& list, T& item) {
    std::unique_ptr<T> taken = std::move(list[item.index]);
    if (item.index + 1 != list.size()) {
        list[item.index] = std::move(list.back());
        list[item.index]->index = item.index;
    }
    list.pop_back();
    return taken;
}

}  // namespace sealwire
