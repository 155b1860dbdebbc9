// The face for `import`: the very same objects as `require` gives, so that a class is never there twice.
export * from './index.js'
