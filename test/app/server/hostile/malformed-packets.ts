/** Packets of the namespace `/chat` that no client of Socket.IO's sends. */
export const malformedPackets = [
  ['11 attachments', ['4511-/chat,["publish",{"_placeholder":true,"num":0}]']],
  ['no attachments', ['450-/chat,["publish",{"_placeholder":true,"num":0}]', Buffer.from('x')]],
  [
    'a placeholder that is not there',
    ['451-/chat,["publish",{"_placeholder":true,"num":7}]', Buffer.from('x')],
  ],
  [
    'a placeholder of the prototype',
    ['451-/chat,["publish",{"_placeholder":true,"num":"__proto__"}]', Buffer.from('x')],
  ],
  [
    'a binary body',
    ['451-/chat,1["publish",{"room":"open","body":{"_placeholder":true,"num":0}}]', Buffer.from('x')],
  ],
  ['attachments nobody announced', [Buffer.from('x'), Buffer.alloc(1_000)]],
  ['a text between attachments', ['452-/chat,["x",{"_placeholder":true,"num":0}]', '42/chat,["y"]']],
  ['no event', ['42/chat,[]']],
  ['an event that is no name', ['42/chat,[{"a":1}]', '42/chat,[[]]', '42/chat,[null]']],
  [
    'events of Socket.IO itself',
    ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener', 'error'].map(
      (name) => `42/chat,5["${name}",{"x":1}]`,
    ),
  ],
  [
    'events of the prototype',
    ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'].map(
      (name) => `42/chat,6["${name}",{"room":"open"}]`,
    ),
  ],
  ['events that are a number', ['42/chat,[1,2]']],
  ['types that there are not', ['4', '47', '49/chat,', '4x', '9', '', ' ', '6', '1']],
  [
    'acknowledgements nobody waits for',
    ['43/chat,12345["x"]', '43/chat,[]', '43/chat,99999999999999999999["x"]'],
  ],
  ['ids that are no numbers', ['42/chat,1e9["join",{"room":"open"}]', '42/chat,-1["join",{"room":"open"}]']],
  ['no JSON', ['42/chat,["publish",{"room":', '42/chat,{', '42/chat,["a"]]']],
  ['what only servers say', ['44/chat,{"message":"x"}', '40/chat,{"sid":"x"}']],
  [
    'a second CONNECT, as another',
    ['40/chat,{"token":"x"}', '40/chat,', '40/chat,[]', '40/chat,"x"', '40/chat,null'],
  ],
  ['names of a million characters', [`42/chat,["${'x'.repeat(90_000)}"]`]],
  [
    'nulls',
    ['42/chat,7["join",null]', '42/chat,7["publish",null,null]', '42/chat,7["leave"]', '42/chat,7[null]'],
  ],
  [
    'control characters and lone surrogates',
    ['42/chat,8["publish",{"room":"open","body":"\\u0000\\ud800"}]', '42/chat,8["join",{"room":"\\ud800"}]'],
  ],
] as const;
