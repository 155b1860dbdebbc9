// Nodes that are open in this thread, for its end: they close in good order, but quickly.
import type { NativeNode } from './native.js'

const open = new Set<NativeNode>()
let watching = false
const DEADLINE = 100

export function closeAtExit(node: NativeNode): void {
  open.add(node)
  if (watching) return
  watching = true
  process.on('exit', () => {
    for (const one of open) one.shutdown(DEADLINE)
    for (const one of open) one.terminate()
    open.clear()
  })
}

export function closed(node: NativeNode): void {
  open.delete(node)
}
