/** The properties of a cookie by which a browser decides. */
export interface Cookie {
  readonly name: string;
  /** `name=value` */
  readonly pair: string;
  readonly secure: boolean;
  readonly sameSite: 'none' | 'lax' | 'strict' | undefined;
}

/** @param setCookie the value of a `Set-Cookie` header */
export function readCookie(setCookie: string): Cookie {
  const [pair = '', ...attributes] = setCookie.split(';').map((part) => part.trim());
  const values = new Map(
    attributes.map((attribute) => {
      const [key = '', value = ''] = attribute.split('=', 2);
      return [key.toLowerCase(), value.toLowerCase()];
    }),
  );
  const sameSite = values.get('samesite');
  const isKnown = sameSite === 'none' || sameSite === 'lax' || sameSite === 'strict';
  return {
    name: pair.split('=', 1)[0] ?? '',
    pair,
    secure: values.has('secure'),
    sameSite: isKnown ? sameSite : undefined,
  };
}

/** The cookies that a browser sends back to the page's own site. It sends `Secure` ones only over HTTPS. */
export function keptOnOwnSite(cookies: readonly Cookie[], isHttps: boolean): readonly Cookie[] {
  return cookies.filter(({ secure, sameSite }) => {
    if (secure) return isHttps;
    // Chrome, Firefox and Safari drop `SameSite=None` without `Secure`.
    return sameSite !== 'none';
  });
}

/**
 * The cookies that a browser sends from a page on another site. A cookie without `SameSite` is `Lax`, and is not sent.
 */
export function keptAcrossSites(cookies: readonly Cookie[], isHttps: boolean): readonly Cookie[] {
  return cookies.filter(({ secure, sameSite }) => isHttps && secure && sameSite === 'none');
}
