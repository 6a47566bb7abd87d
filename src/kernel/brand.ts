declare const brand: unique symbol

/** A primitive that carries its meaning in its type, so that a task id cannot be passed where a node id is due. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }
