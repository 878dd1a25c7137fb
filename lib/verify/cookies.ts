import { nameOf } from './ask.ts';

/** A cookie as a browser looks at it. */
export interface Cookie {
  readonly name: string;
  /** `name=value` */
  readonly pair: string;
  readonly secure: boolean;
  readonly sameSite: 'none' | 'lax' | 'strict' | undefined;
}

export function readCookie(setCookie: string): Cookie {
  const [pair = '', ...attributes] = setCookie.split(';').map((part) => part.trim());
  const values = new Map(
    attributes.map((attribute) => {
      const [key = '', value = ''] = attribute.split('=', 2);
      return [key.toLowerCase(), value.toLowerCase()];
    }),
  );
  const sameSite = values.get('samesite');
  const known = sameSite === 'none' || sameSite === 'lax' || sameSite === 'strict';
  return {
    name: nameOf(setCookie),
    pair,
    secure: values.has('secure'),
    sameSite: known ? sameSite : undefined,
  };
}

/** What a browser sends back to the page's own site. One that is `Secure` it keeps over HTTPS alone. */
export function keptOnOwnSite(cookies: readonly Cookie[], isHttps: boolean): readonly Cookie[] {
  return cookies.filter(({ secure, sameSite }) => {
    if (secure) return isHttps;
    // Chrome, Firefox and Safari drop `SameSite=None` without `Secure`.
    return sameSite !== 'none';
  });
}

/** What a browser sends from a page on another site: without `SameSite` a cookie is `Lax`, and stays behind. */
export function keptAcrossSites(cookies: readonly Cookie[], isHttps: boolean): readonly Cookie[] {
  return cookies.filter(({ secure, sameSite }) => isHttps && secure && sameSite === 'none');
}
