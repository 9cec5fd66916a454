// @ts-check
/** The start page. */
