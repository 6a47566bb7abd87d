/** From so many on, looking through a list costs more than a set does. */
const FEW_MAX = 16

/**
 * A set that has one member nearly always, and a hundred thousand of which are kept: a list, in the order in which they
 * came, until there are too many to look through. Lists are never changed and may be shared, sets are.
 */
export type Few<T> = readonly T[] | Set<T>

export function has<T>(few: Few<T>, item: T): boolean {
  return few instanceof Set ? few.has(item) : few.includes(item)
}

/** `alone` is the list of that item and no other. What is made by `concat` has no room for sixteen more, unlike by a spread or a push. */
export function including<T>(few: Few<T>, item: T, alone: readonly T[]): Few<T> {
  if (few instanceof Set) return few.add(item)
  if (few.length === 0) return alone
  if (few.includes(item)) return few
  return few.length < FEW_MAX ? few.concat(item) : new Set(few).add(item)
}

export function excluding<T>(few: Few<T>, item: T): Few<T> {
  if (few instanceof Set) {
    few.delete(item)
    return few
  }
  return few.includes(item) ? few.filter((each) => each !== item) : few
}
