/**
 * A CloudFront function at the viewer's response, in JavaScript 2.0 of CloudFront. The load balancer behind it speaks
 * HTTP, so it sets `AWSALBCORS` with `SameSite=None` and without `Secure`, and browsers drop that.
 */
export const secureCookies = `function handler(event) {
  var cookies = event.response.cookies;
  for (var name in cookies) {
    if (name.indexOf('AWSALB') !== 0) continue;
    var all = cookies[name].multiValue || [cookies[name]];
    all.concat(cookies[name]).forEach(function (cookie) {
      var attributes = cookie.attributes || '';
      if (!/(^|;)\\s*secure\\s*(;|$)/i.test(attributes))
        cookie.attributes = attributes ? attributes + '; Secure' : 'Secure';
    });
  }
  return event.response;
}`;
